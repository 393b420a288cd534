"""The metrics of a step: summed over micro-batches, then over all ranks.

P prompts, G completions per prompt.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from reasonrft.distributed.ranks import all_gather
from reasonrft.losses import Importance, LossOutput
from reasonrft.modules.micro_batches import MicroBatch
from reasonrft.modules.step_record import StepRecord
from reasonrft.policy.scoring import Scores
from reasonrft.rollout import Rollout

PHASES = ("rollout", "reward", "update")
TRAINED = 3
"""Forward passes that a token costs which is learned from: backward is as much as two."""


class Stopwatch:
    """Times phases, one after the other."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._phase: str | None = None
        self._since = 0.0

    def phase(self, name: str | None) -> None:
        """The phase before ends now, and this one begins."""
        now = time.perf_counter()
        if self._phase is not None:
            self.seconds[self._phase] += now - self._since
        self._phase, self._since = name, now


class StepMetrics(Stopwatch):
    """Times the phases of a step, and sums figures of its micro-batches."""

    def __init__(self) -> None:
        super().__init__()
        self.gradient_norm = 0.0
        self.staleness: int | None = None
        """Updates since the rollout was sampled; None where the sampler is the scorer."""
        self.distortion: float | None = None
        """Strength with which part of each group's images is distorted; None where none is."""
        self.sampled_groups: int | None = None
        """Groups that were sampled until the batch was full; None where none are replaced."""
        self.of_data: dict[str, float] = {}
        """What the datamodule has to log: the same on all ranks."""
        self.of_rewards: Mapping[str, float] = {}
        """What rewards did on this rank, under names that all ranks have."""
        self.compute_tokens = 0
        """Tokens scored, in forward passes: perf/compute_tokens without the rollout's."""
        self._passes: list[dict[str, Tensor]] = []

    def add(self, micro_batch: MicroBatch, scores: Scores, loss: LossOutput) -> None:
        """Take the figures of one pass over a micro-batch; nothing is read from the device yet."""
        if micro_batch.idle:
            return
        self.compute_tokens += TRAINED * micro_batch.tokens
        sampled = micro_batch.rollout_log_probs.to(scores.log_probs)
        difference = (scores.log_probs.detach() - sampled).abs()
        tokens = difference.new_full((), len(difference))
        compared = tokens
        if micro_batch.distorted is not None:  # their log-probs are of another image
            difference = difference.masked_fill(micro_batch.distorted, 0.0)
            compared = tokens - micro_batch.distorted.sum()
        figures = {
            "loss": loss.total.detach(),
            "kl": loss.kl,
            "clip_fraction": loss.clip_fraction,
            "entropy": scores.entropy.sum(),
            "difference": difference.sum(),
            "difference_max": _largest(difference),
            "tokens": tokens,
            "compared": compared,
        }
        if micro_batch.teacher_log_probs is not None and micro_batch.old_log_probs is not None:
            gap = micro_batch.old_log_probs - micro_batch.teacher_log_probs
            figures["train/teacher_kl"] = (micro_batch.weights * gap).sum()
        if loss.importance is not None:
            figures |= _sums_of(loss.importance, compared)
        figures |= {f"train/{name}": figure for name, figure in loss.figures.items()}
        self._passes.append({name: figure.float() for name, figure in figures.items()})

    def sums(self) -> dict[str, float]:
        """Sums over the passes, and maxima; reads the device once."""
        if not self._passes:
            return {}
        names = list(self._passes[0])
        rows = torch.stack([torch.stack(list(row.values())) for row in self._passes])
        rows = rows.double().cpu()
        return {
            name: (column.max() if name in _MAXIMA else column.sum()).item()
            for name, column in zip(names, rows.unbind(1), strict=True)
        }


_MAXIMA = ("difference_max", "log_ratio_max")


def _sums_of(importance: Importance, compared: Tensor) -> dict[str, Tensor]:
    """Over the tokens that are compared; the others weigh exactly 1."""
    weights = importance.weights
    others = len(weights) - compared
    return {
        "importance": weights.sum() - others,
        "importance_squared": weights.square().sum() - others,
        "truncated": importance.truncated.sum(),
        "rollout_kl": importance.kl.sum(),
        "log_ratio_max": _largest(importance.log_ratios.abs()),
    }


def _largest(values: Tensor) -> Tensor:
    return values.max() if len(values) else values.new_zeros(())


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
        "train/reward_std": total.std(1, correction=min(1, total.shape[1] - 1)),
        "train/zero_advantage_groups": (advantages == 0).all(1),
        "train/completion_length": lengths,
        "train/truncated": ~stopped,
    }
    if step_metrics.distortion is not None:
        columns["train/distorted_reward"] = total[rollout.distorted]
    columns |= _columns_by_source(columns, rollout)
    counts = {f"train/{name}": done for name, done in step_metrics.of_rewards.items()}
    if step_metrics.sampled_groups is not None:
        counts["train/sampled_groups"] = step_metrics.sampled_groups
        counts["train/groups_with_signal"] = int((advantages != 0).any(1).sum())
    step_metrics.phase(None)
    seconds_here = dict(step_metrics.seconds)
    sums_here = step_metrics.sums() | {"compute_tokens": _compute_tokens(rollout, step_metrics)}
    of_rank = (columns, rollout.work, sums_here, seconds_here, counts)
    columns_by_rank, work_by_rank, sums_by_rank, seconds_by_rank, counts_by_rank = zip(
        *all_gather(of_rank), strict=True
    )
    joined = _joined(columns_by_rank)
    means = {name: column.float().mean().item() for name, column in joined.items()}
    work = added(work_by_rank)
    seconds = {name: value / len(seconds_by_rank) for name, value in added(seconds_by_rank).items()}
    maxima = {name: max(own.get(name, 0.0) for own in sums_by_rank) for name in _MAXIMA}
    sums = added(sums_by_rank) | maxima
    metrics = (
        means
        | _shares_of_sources(joined)
        | added(counts_by_rank)
        | {f"train/{name}": value for name, value in step_metrics.of_data.items()}
        | {f"perf/{name}": value for name, value in work.items()}
        | _update_metrics(sums, updates)
        | _importance_metrics(sums, step_metrics.staleness)
        | _distortion_metrics(step_metrics.distortion)
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


_BY_SOURCE = ("reward", "accuracy", "completion_length")


def _columns_by_source(columns: Mapping[str, Tensor], rollout: Rollout) -> dict[str, Tensor]:
    """The groups of each source, where problems are of several."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, problem in enumerate(rollout.problems):
        rows[problem.source].append(row)
    return {
        f"train/source/{source}/{figure}": columns[f"train/{figure}"][own]
        for source, own in rows.items()
        if source
        for figure in _BY_SOURCE
        if f"train/{figure}" in columns
    }


def _joined(columns_by_rank: tuple[Mapping[str, Tensor], ...]) -> dict[str, Tensor]:
    """The columns of all ranks, which may lack some or have nothing in them."""
    names = dict.fromkeys(name for own in columns_by_rank for name in own)
    parts = {
        name: [own[name] for own in columns_by_rank if name in own and len(own[name])]
        for name in names
    }
    return {name: torch.cat(own) for name, own in parts.items() if own}


def _shares_of_sources(joined: Mapping[str, Tensor]) -> dict[str, float]:
    """What part of the batch each source has."""
    return {
        name.removesuffix("reward") + "share": len(column) / len(joined["train/reward"])
        for name, column in joined.items()
        if name.startswith("train/source/") and name.endswith("/reward")
    }


def _compute_tokens(rollout: Rollout, step_metrics: StepMetrics) -> float:
    """The step's work in tokens of a forward pass: read and sampled, then scored."""
    sampled = {
        "prompt_tokens": sum(prompt.length for prompt in rollout.batch.prompts),
        "decoded_tokens": int(rollout.lengths.sum()),
    }
    # An engine knows more, as of groups that were sampled again.
    done = {name: rollout.work.get(name, count) for name, count in sampled.items()}
    return sum(done.values()) + step_metrics.compute_tokens


def added(mappings: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The sums of what has the same name."""
    names = dict.fromkeys(name for mapping in mappings for name in mapping)
    return {name: sum(mapping.get(name, 0) for mapping in mappings) for name in names}


def _update_metrics(sums: Mapping[str, float], updates: int) -> dict[str, float]:
    """Means over updates, and over tokens where a figure is per token."""
    tokens, compared = (max(1.0, sums.get(name, 0.0)) for name in ("tokens", "compared"))
    return {
        "train/loss": sums.get("loss", 0.0) / updates,
        "train/kl": sums.get("kl", 0.0) / updates,
        "train/clip_fraction": sums.get("clip_fraction", 0.0) / updates,
        "train/entropy": sums.get("entropy", 0.0) / tokens,
        "train/rollout_logprob_diff": sums.get("difference", 0.0) / compared,
        "train/rollout_logprob_diff_max": sums["difference_max"],
        "perf/tokens_scored": sums.get("tokens", 0.0),
        **{name: value / updates for name, value in sums.items() if name.startswith("train/")},
        "perf/compute_tokens": sums["compute_tokens"],
    }


def _distortion_metrics(distortion: float | None) -> dict[str, float]:
    return {} if distortion is None else {"train/distortion": distortion}


def _importance_metrics(sums: Mapping[str, float], staleness: int | None) -> dict[str, float]:
    """What importance weights correct for: over all tokens that are learned from as sampled.

    The effective sample size is a share of the tokens: (sum w)^2 / (n sum w^2).
    """
    if staleness is None:
        return {}
    staleness_metric = {"train/staleness": float(staleness)}
    if "importance" not in sums:  # nothing was learned from
        return staleness_metric
    tokens = max(1.0, sums["compared"])
    weights, squares = sums["importance"], sums["importance_squared"]
    return staleness_metric | {
        "train/importance_weight": weights / tokens,
        "train/importance_truncated": sums["truncated"] / tokens,
        "train/importance_sample_size": weights**2 / (tokens * squares) if squares else 0.0,
        "train/importance_log_ratio_max": sums["log_ratio_max"],
        "train/rollout_kl": sums["rollout_kl"] / tokens,
    }
