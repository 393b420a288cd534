"""The record of a step, with its figures over all ranks.

P prompts, G completions per prompt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import reduce
from operator import add

import torch
from torch import Tensor

from reasonrft.modules.ranks import gathered
from reasonrft.modules.record import StepRecord, Watch
from reasonrft.policy.encoding import PromptBatch
from reasonrft.policy.rollout import Rollout


def step_record(
    step: int,
    batch: PromptBatch,
    rollout: Rollout,
    rewards: Mapping[str, Tensor],  # each (P, G)
    total: Tensor,  # (P, G)
    advantages: Tensor,  # (P, G)
    watch: Watch,
    updates: int,
    right: Tensor | None = None,  # (P, G)
) -> StepRecord:
    """What this rank has seen; in its figures work is added up over ranks, and time averaged."""
    lengths, stopped = rollout.lengths, rollout.stopped  # (P, G)
    averaged = {
        "train/reward": total,
        **{f"train/reward/{name}": found for name, found in rewards.items()},
        **({"train/accuracy": right} if right is not None else {}),
        "train/reward_deviation": total.std(1),
        "train/zero_advantage_groups": (advantages == 0).all(1),
        "train/completion_length": lengths,
        "train/truncated": ~stopped,
    }
    columns, counters, watches = zip(*gathered((averaged, rollout.counters, watch)), strict=True)
    metrics = {name: torch.cat([own[name] for own in columns]).float().mean() for name in averaged}
    work = asdict(reduce(add, counters))
    return StepRecord(
        step,
        batch.problems,
        rollout.texts,
        lengths,
        stopped,
        rewards,
        total,
        advantages,
        rollout.counters,
        {name: value.item() for name, value in metrics.items()}
        | {f"perf/{name}": count for name, count in work.items()}
        | one_watch(watches).metrics(updates),
    )


def one_watch(watches: Sequence[Watch]) -> Watch:
    """What all ranks have seen, as if one had."""
    whole = Watch()
    whole.gradient_norm = watches[0].gradient_norm  # the same on all
    whole.largest_difference = max(one.largest_difference for one in watches)
    for one in watches:
        for name, value in one.sums.items():
            whole.sums[name] += value
        for name, seconds in one.seconds.items():
            whole.seconds[name] += seconds / len(watches)
    return whole
