"""Shorter answers among the right ones of a group."""

from collections.abc import Sequence

from reasonrft.problems import Problem
from reasonrft.rewards.accuracy import Profile, solution_of
from reasonrft.rewards.base import Reward
from reasonrft.tasks import find_task
from reasonrft.tasks import reference_functions as reference


class LengthReward(Reward):
    """From +1/2 for the shortest of a group to -1/2 for the longest; wrong answers gain nothing."""

    def __init__(
        self,
        start_step: int = 800,
        scale: float = 0.05,
        profile: Profile = "robust",
        weight: float = 1.0,
    ) -> None:
        """
        Args:
            start_step: Training step from which on the reward is paid.
            scale: Factor that keeps length below accuracy.
            profile: Whether an answer is right: by its task ("robust"), or as the reference.
            weight: Factor in the sum of rewards.
        """
        super().__init__(weight)
        self.start_step, self.scale, self.profile = start_step, scale, profile

    def score_group(self, completions: Sequence[str], problem: Problem, step: int) -> list[float]:
        if step < self.start_step:
            return [0.0] * len(completions)
        correct = [self._right(completion, problem) for completion in completions]
        return [self.scale * reward for reward in reference.length_rewards(completions, correct)]

    def _right(self, completion: str, problem: Problem) -> bool:
        if self.profile == "robust":
            return find_task(problem.task).accuracy(completion, problem) == 1
        return reference.same_answer(completion, solution_of(problem))
