"""A step's groups in micro-batches that fit into memory, with the loss's inputs for each token.

P prompts, G completions per prompt, N completion tokens of a micro-batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from reasonrft.losses import LossInputs
from reasonrft.policy.altered_images import ImageEffect, alter_images
from reasonrft.policy.collate import to_device
from reasonrft.policy.encoder import Encoder, Example
from reasonrft.policy.scoring import Group
from reasonrft.problems import Problem
from reasonrft.rollout import Rollout


@dataclass
class MicroBatch:
    """Whole groups that are scored at the same time."""

    groups: list[Group]
    advantages: Tensor  # (N,)
    weights: Tensor  # (N,) token weights
    completion: Tensor  # (N,) index of the completion that a token belongs to
    rollout_log_probs: Tensor  # (N,) by the sampler
    corrects_sampler: bool = False
    """Whether the loss corrects for a sampler whose log-probs are not the scorer's."""
    idle: bool = False
    """Whether it is only there for other ranks."""
    distorted: Tensor | None = None  # (N,) bool
    """Tokens that were sampled from a distorted image; None where there are none."""
    old_log_probs: Tensor | None = None  # (N,) of the first update
    reference_log_probs: Tensor | None = None  # (N,)
    teacher_log_probs: Tensor | None = None  # (N,)
    teacher_weight: float = 0.0
    masked_groups: list[Group] = field(default_factory=list)
    """The groups with their images masked, for the perception loss."""
    masked_log_probs: Tensor | None = None  # (N,) of the first update, with masked images

    @property
    def problem_ids(self) -> str:
        return ", ".join(group.prompt.problem.id for group in self.groups)

    @property
    def tokens(self) -> int:
        """Of prompts and completions, with each prompt once; an idle one has none."""
        return 0 if self.idle else sum(group.length for group in self.groups)

    def inputs(self, log_probs: Tensor) -> LossInputs:
        """The loss's inputs. On the first update the policy's log-probs are the old ones."""
        if self.old_log_probs is None:
            self.old_log_probs = log_probs.detach()
            self._move(log_probs.device)
            if self.teacher_log_probs is not None:
                gap = self.teacher_log_probs - self.old_log_probs
                self.advantages = self.advantages + self.teacher_weight * gap
        return LossInputs(
            log_probs,
            self.old_log_probs,
            self.advantages,
            self.weights,
            self.completion,
            self.reference_log_probs,
            self._sampled(self.old_log_probs) if self.corrects_sampler else None,
        )

    def _sampled(self, old: Tensor) -> Tensor:  # (N,)
        """Rollout log-probs; tokens that answer a distorted image count as the old policy's own.

        What the sampler says of them is of the distorted image. Importance weights would correct
        for the distortion, which is there to sample what the policy itself would not.
        """
        sampled = self.rollout_log_probs.to(old)
        return sampled if self.distorted is None else torch.where(self.distorted, old, sampled)

    def _move(self, device: torch.device) -> None:
        """To the device, once for all updates."""
        always = ("advantages", "weights", "completion", "rollout_log_probs")
        names = (*always, "distorted", "teacher_log_probs")
        there = {name: value for name in names if (value := getattr(self, name)) is not None}
        moved = to_device(there, device)
        for name, values in moved.items():
            setattr(self, name, values)


def split(
    rollout: Rollout,
    advantages: Tensor,  # (P, G)
    weights: Tensor,  # (P, G)
    chosen: Sequence[int],
    budget: int,
    corrects_sampler: bool = False,
) -> list[MicroBatch]:
    """The chosen groups in micro-batches of at most `budget` tokens, padding included."""
    groups, micro_batches = groups_of(rollout), []
    for numbers in group_by_length([groups[item].length for item in chosen], budget):
        items = [chosen[number] for number in numbers]
        completions = [completion for item in items for completion in rollout.completions[item]]
        lengths = torch.tensor([len(completion.ids) for completion in completions])
        distorted = torch.tensor([completion.distorted for completion in completions])
        micro_batches.append(
            MicroBatch(
                groups=[groups[item] for item in items],
                advantages=advantages[items].flatten().repeat_interleave(lengths),
                weights=weights[items].flatten().repeat_interleave(lengths),
                completion=torch.arange(len(lengths)).repeat_interleave(lengths),
                rollout_log_probs=torch.cat([completion.log_probs for completion in completions]),
                corrects_sampler=corrects_sampler,
                distorted=distorted.repeat_interleave(lengths) if distorted.any() else None,
            )
        )
    return micro_batches


def idle(encoder: Encoder) -> MicroBatch:
    """What a rank scores while others have more than it: one short sequence, with weight zero."""
    group = as_group(idle_example(encoder))
    (completion,) = group.completions
    zeros = torch.zeros(len(completion))
    return MicroBatch([group], zeros, zeros, torch.zeros_like(completion), zeros, idle=True)


def idle_example(encoder: Encoder) -> Example:
    """A problem without images whose answer is learned by nobody."""
    return encoder.example(Problem("idle", "general", (), "?", "."), "?", ".")


def as_group(example: Example) -> Group:
    """An example is a prompt with one completion."""
    return Group(example.prompt, [example.response])


def groups_of(rollout: Rollout) -> list[Group]:
    """Each prompt with its completions, as the scorer takes them."""
    return [
        Group(prompt, [completion.ids for completion in completions])
        for prompt, completions in zip(rollout.batch.prompts, rollout.completions, strict=True)
    ]


def altered(encoder: Encoder, group: Group, effect: ImageEffect, seed: str) -> Group:
    """A group whose prompt shows its images with an effect, for one step."""
    own_seed = f"{seed}/{group.prompt.problem.id}"
    return replace(group, prompt=alter_images(encoder, group.prompt, effect, own_seed))


def group_by_length(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Items of similar length together, at most `budget` when all are padded to the longest.

    An item that is longer than the budget is alone.
    """
    batches: list[list[int]] = []
    longest = 0
    for item in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        if not batches or longest * (len(batches[-1]) + 1) > budget:
            batches.append([])
            longest = lengths[item]
        batches[-1].append(item)
    return batches
