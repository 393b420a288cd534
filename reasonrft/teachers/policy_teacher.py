"""A teacher on the same device: another policy, frozen, scored through the shared prefix."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from reasonrft.errors import BadInput
from reasonrft.policy.policy import Policy
from reasonrft.policy.scoring import Group, score
from reasonrft.teachers.base import Teacher, vocabulary_hash


class PolicyTeacher(Teacher):
    """Another policy, such as a larger one, which reads prompts and images in its own way.

    It is whole on each device, also where the policy is spread over several.
    """

    computes_here = True

    def __init__(self, policy: Policy, weight: float = 1.0) -> None:
        """
        Args:
            policy: The model that teaches; its tokens must be those of the policy that learns.
            weight: Factor of its part of a token's advantage.
        """
        super().__init__(weight)
        self.policy, self.temperature = policy, 1.0

    def prepare(self, policy: Policy, temperature: float) -> None:
        own, other = (vocabulary_hash(each.encoder.tokenizer) for each in (self.policy, policy))
        if own != other:
            raise BadInput(
                f"the teacher {self.policy.path} has other tokens than {policy.path}, and is asked "
                "for log-probs of the same ones: take a teacher with the same tokenizer"
            )
        self.temperature = temperature
        self.policy.load()
        self.policy.requires_grad_(False)
        self.policy.to(policy.device).eval()

    @torch.no_grad()
    def log_probs(self, micro_batches: Sequence[Sequence[Group]]) -> list[Tensor]:
        return [
            score(self.policy, self.asked(groups), self.temperature).log_probs
            for groups in micro_batches
        ]

    def asked(self, groups: Sequence[Group]) -> list[Group]:
        """The same completions of the same questions, with prompts of the teacher's processor."""
        encoder = self.policy.encoder
        prompts = [encoder.prompt(group.prompt.problem, group.prompt.text) for group in groups]
        return [
            replace(group, prompt=prompt) for group, prompt in zip(groups, prompts, strict=True)
        ]
