"""What a reward is.

P prompts, G completions per prompt.
"""

from collections.abc import Sequence
from typing import ClassVar

from reasonrft.problems import Problem
from reasonrft.symbolic import batch_limit


class Reward:
    """Judges completions; subclass it, override `score`, and name it by class_path."""

    reads_answer: ClassVar[bool] = True

    def __init__(self, weight: float = 1.0) -> None:
        """
        Args:
            weight: Factor in the sum of rewards.
        """
        self.weight = weight

    def __call__(
        self, completions: Sequence[Sequence[str]], problems: Sequence[Problem], step: int = 0
    ) -> list[list[float]]:  # (P, G)
        """Scores, unweighted, of G completions to each of P problems."""
        with batch_limit():
            return [
                self.score_group(group, problem, step)
                for group, problem in zip(completions, problems, strict=True)
            ]

    def score_group(self, completions: Sequence[str], problem: Problem, step: int) -> list[float]:
        """Scores of one group; override it where completions are compared with each other."""
        return [self.score(completion, problem) for completion in completions]

    def score(self, completion: str, problem: Problem) -> float:
        raise NotImplementedError(f"{type(self).__name__} does not say what a completion scores")
