"""What a reward is.

P prompts, G completions per prompt.
"""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

from reasonrft.errors import BadInput
from reasonrft.problems import Problem
from reasonrft.rewards.completion import Completion
from reasonrft.symbolic import batch_limit


class Reward:
    """Rewards completions; subclass it, override `reward`, and name it by class_path."""

    reads_answer: ClassVar[bool] = True
    """Whether it needs the gold answer."""
    begins_early: ClassVar[bool] = False
    """Whether `begin` does anything: then rollout engines tell of completions as they end."""
    marks_right: bool = False
    """Whether it gives 1 to right answers alone, so that their share is an accuracy."""
    weight: float = 1.0
    current_problem: Problem | None = None
    """The problem in work, for whoever has to say where a reward hangs or fails."""

    def __init__(self, weight: float = 1.0) -> None:
        """
        Args:
            weight: Factor in the sum of rewards.
        """
        if not math.isfinite(weight):
            name = type(self).__name__
            raise BadInput(f"weight of {name} must be a finite number, not {weight}")
        self.weight = weight

    def __call__(
        self, completions: Sequence[Sequence[str]], problems: Sequence[Problem], step: int = 0
    ) -> list[list[float]]:  # (P, G)
        """Rewards, unweighted, of G completions to each of P problems."""
        with batch_limit():
            rewards = []
            for group, problem in zip(completions, problems, strict=True):
                self.current_problem = problem
                rewards.append(self.reward_group([_known(text) for text in group], problem, step))
            self.current_problem = None
            return rewards

    def begin(self, completion: Completion, problem: Problem) -> None:
        """A completion is there while others are still sampled; begin what takes long, and return.

        It is rewarded later, with its group: a reward that waits for a server may ask it now.
        """

    def take_work(self) -> dict[str, float]:
        """What was done since this was asked last, under names that are logged: always the same."""
        return {}

    def describe_work(self, work: Mapping[str, float]) -> str:
        """All that was done in a run, on all ranks, in a line; empty where there is nothing."""
        return ""

    def reward_group(
        self, completions: Sequence[Completion], problem: Problem, step: int
    ) -> list[float]:  # (G,)
        """Rewards of one group; override it where completions are compared with each other."""
        return [self.reward(completion, problem) for completion in completions]

    def reward(self, completion: Completion, problem: Problem) -> float:
        raise NotImplementedError(f"{type(self).__name__} does not say what a completion earns")


def _known(text: str) -> Completion:
    return text if isinstance(text, Completion) else Completion(text)
