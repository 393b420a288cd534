"""Rewards that see the policy: how likely it finds tokens that it did not sample.

    rollout ──reward──> continuations of prompts ──policy, no gradient──> log-probs ──> rewards

The policy is the one of now, before the step's first update. All continuations of a prompt are
scored in one row, in which the prompt stands once.

P prompts, G completions per prompt, K tokens that are given, T tokens that are asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from reasonrft.errors import BadInput
from reasonrft.problems import Problem
from reasonrft.rewards.base import Reward

if TYPE_CHECKING:
    from reasonrft.policy.encoder import Encoder, PromptBatch
    from reasonrft.rollout.engine import Rollout


@dataclass(frozen=True)
class Continuation:
    """Tokens after a prompt: those that are given, and then those whose log-probs are asked for."""

    given: Tensor  # (K,)
    asked: Tensor  # (T,)


class PolicyScorer(Protocol):
    """The policy, as far as rewards see it."""

    @property
    def encoder(self) -> "Encoder": ...

    def log_probs(
        self, batch: "PromptBatch", continuations: Sequence[Sequence[Continuation]]
    ) -> list[list[Tensor]]:
        """Log-probs (T,) of what is asked for, of each continuation of each prompt."""


class PolicyReward(Reward):
    """A reward that asks the policy; subclass it, override `reward_rollout`."""

    def reward_rollout(
        self, rollout: "Rollout", scorer: PolicyScorer, step: int
    ) -> Sequence[Tensor]:  # P of (G,)
        """Rewards, unweighted, of all completions of a rollout."""
        raise NotImplementedError(f"{type(self).__name__} does not say what a rollout earns")

    def reward(self, completion: str, problem: Problem) -> float:
        raise BadInput(f"{type(self).__name__} asks the policy, which is there in training alone")
