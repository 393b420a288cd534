"""The metrics of a step: summed over micro-batches, then over all ranks.

P prompts, G completions per prompt.
"""

import time
from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor

from reasonrft.distributed.ranks import all_gather
from reasonrft.losses import LossOutput
from reasonrft.modules.micro_batches import MicroBatch
from reasonrft.modules.step_record import StepRecord
from reasonrft.policy.scoring import Scores
from reasonrft.rollout import Rollout

PHASES = ("rollout", "reward", "update")


class StepMetrics:
    """Times the phases of a step, and sums figures of its micro-batches."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.gradient_norm = 0.0
        self._phase: str | None = None
        self._since = 0.0
        self._passes: list[Tensor] = []

    def phase(self, name: str | None) -> None:
        """The phase before ends now, and this one begins."""
        now = time.perf_counter()
        if self._phase is not None:
            self.seconds[self._phase] += now - self._since
        self._phase, self._since = name, now

    def add(self, micro_batch: MicroBatch, scores: Scores, loss: LossOutput) -> None:
        """Take the figures of one pass over a micro-batch; nothing is read from the device yet."""
        if micro_batch.idle:
            return
        sampled = micro_batch.rollout_log_probs.to(scores.log_probs)
        difference = (scores.log_probs.detach() - sampled).abs()
        figures = (
            loss.total.detach(),
            loss.kl,
            loss.clip_fraction,
            loss.importance * len(difference),
            scores.entropy.sum(),
            difference.sum(),
            difference.max() if len(difference) else difference.new_zeros(()),
            difference.new_full((), len(difference)),
        )
        self._passes.append(torch.stack([figure.float() for figure in figures]))

    def sums(self) -> dict[str, float]:
        """Sums over the passes, and the largest difference of log-probs; reads the device once."""
        if not self._passes:
            return dict.fromkeys((*_SUMS, "largest"), 0.0)
        passes = torch.stack(self._passes).double().cpu()
        sums = dict(zip(_COLUMNS, passes.sum(0).tolist(), strict=True))
        return sums | {"largest": passes[:, _COLUMNS.index("largest")].max().item()}


_COLUMNS = (
    "loss",
    "kl",
    "clip_fraction",
    "importance",
    "entropy",
    "difference",
    "largest",
    "tokens",
)
_SUMS = tuple(name for name in _COLUMNS if name != "largest")


def make_record(
    step: int,
    rollout: Rollout,
    rewards: Mapping[str, Tensor],  # each (P, G)
    total: Tensor,  # (P, G)
    advantages: Tensor,  # (P, G)
    step_metrics: StepMetrics,
    updates: int,
    right: Tensor | None = None,  # (P, G)
) -> StepRecord:
    """This rank's record; in its metrics, work is summed over ranks and time is averaged."""
    lengths, stopped = rollout.lengths, rollout.stopped  # (P, G)
    columns = {
        "train/reward": total,
        **{f"train/reward/{name}": values for name, values in rewards.items()},
        **({"train/accuracy": right} if right is not None else {}),
        "train/reward_std": total.std(1),
        "train/zero_advantage_groups": (advantages == 0).all(1),
        "train/completion_length": lengths,
        "train/truncated": ~stopped,
    }
    step_metrics.phase(None)
    of_rank = (columns, rollout.work, step_metrics.sums(), dict(step_metrics.seconds))
    columns_by_rank, work_by_rank, sums_by_rank, seconds_by_rank = zip(
        *all_gather(of_rank), strict=True
    )
    means = {
        name: torch.cat([own[name] for own in columns_by_rank if len(own[name])])
        .float()
        .mean()
        .item()
        for name in columns
    }
    work = _added(work_by_rank)
    seconds = {
        name: value / len(seconds_by_rank) for name, value in _added(seconds_by_rank).items()
    }
    sums = _added(sums_by_rank) | {"largest": max(own["largest"] for own in sums_by_rank)}
    metrics = (
        means
        | {f"perf/{name}": value for name, value in work.items()}
        | _update_metrics(sums, updates)
        | {"train/grad_norm": step_metrics.gradient_norm}  # the same on all ranks
        | {f"time/{name}": value for name, value in seconds.items()}
    )
    return StepRecord(
        step,
        rollout.problems,
        rollout.texts,
        lengths,
        stopped,
        rewards,
        total,
        advantages,
        rollout.work,
        metrics,
    )


def _added(mappings: tuple[Mapping[str, float], ...]) -> dict[str, float]:
    names = dict.fromkeys(name for mapping in mappings for name in mapping)
    return {name: sum(mapping.get(name, 0) for mapping in mappings) for name in names}


def _update_metrics(sums: Mapping[str, float], updates: int) -> dict[str, float]:
    """Means over updates, and over tokens where a figure is per token."""
    tokens = max(1.0, sums["tokens"])
    return {
        "train/loss": sums["loss"] / updates,
        "train/kl": sums["kl"] / updates,
        "train/clip_fraction": sums["clip_fraction"] / updates,
        "train/entropy": sums["entropy"] / tokens,
        "train/importance_weight": sums["importance"] / tokens if sums["tokens"] else 1.0,
        "train/rollout_logprob_diff": sums["difference"] / tokens,
        "train/rollout_logprob_diff_max": sums["largest"],
        "perf/tokens_scored": sums["tokens"],
    }
