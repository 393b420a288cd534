"""A step's groups in parts that fit into memory, with what the loss needs to know of each token.

P prompts, G completions per prompt, N completion tokens of a part.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reasonrft.grpo import Tokens
from reasonrft.policy.encoding import PromptBatch
from reasonrft.policy.layout import Group
from reasonrft.policy.rollout import Rollout


@dataclass
class MicroBatch:
    """Whole groups that are scored at the same time."""

    groups: list[Group]
    advantages: Tensor  # (N,)
    weights: Tensor  # (N,)
    completion: Tensor  # (N,)
    sampled: Tensor  # (N,) log-probabilities as they were sampled
    old: Tensor | None = None  # (N,) those of the first update
    reference: Tensor | None = None  # (N,)

    @property
    def names(self) -> str:
        return ", ".join(group.prompt.problem.id for group in self.groups)

    def tokens(self, log_probs: Tensor) -> Tokens:
        """What the loss is made of; the first update is on-policy."""
        if self.old is None:
            self.old = log_probs.detach()
        device = log_probs.device
        return Tokens(
            log_probs,
            self.old,
            self.advantages.to(device),
            self.weights.to(device),
            self.completion.to(device),
            self.reference,
        )


def micro_batches(
    batch: PromptBatch,
    rollout: Rollout,
    advantages: Tensor,  # (P, G)
    weights: Tensor,  # (P, G)
    learned: Sequence[int],
    budget: int,
) -> list[MicroBatch]:
    """The groups that are learned from, in parts that have at most `budget` tokens, padded."""
    groups = [
        Group(prompt, [one.ids for one in completions])
        for prompt, completions in zip(batch.prompts, rollout.completions, strict=True)
    ]
    parts = similar([groups[item].length for item in learned], budget)
    made = []
    for part in parts:
        items = [learned[at] for at in part]
        completions = [one for item in items for one in rollout.completions[item]]
        lengths = torch.tensor([len(one.ids) for one in completions])
        made.append(
            MicroBatch(
                groups=[groups[item] for item in items],
                advantages=advantages[items].flatten().repeat_interleave(lengths),
                weights=weights[items].flatten().repeat_interleave(lengths),
                completion=torch.arange(len(lengths)).repeat_interleave(lengths),
                sampled=torch.cat([one.log_probs for one in completions]),
            )
        )
    return made


def similar(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Items of similar length together, at most `budget` when all are padded to the longest.

    An item that is longer than the budget is alone.
    """
    parts: list[list[int]] = []
    longest = 0
    for item in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        if not parts or longest * (len(parts[-1]) + 1) > budget:
            parts.append([])
            longest = lengths[item]
        parts[-1].append(item)
    return parts
