"""Shorter answers among the right ones of a group."""

import math
from collections.abc import Sequence
from typing import Literal

from reasonrft.errors import BadInput
from reasonrft.problems import Problem
from reasonrft.rewards.accuracy import Profile
from reasonrft.rewards.base import Reward
from reasonrft.rewards.completion import Completion
from reasonrft.tasks import find_task
from reasonrft.tasks.reference_functions import length_rewards, same_answer


class LengthReward(Reward):
    """From +1/2 for the shortest of a group to -1/2 for the longest; wrong answers gain nothing."""

    def __init__(
        self,
        start_step: int = 800,
        scale: float = 0.05,
        profile: Profile = "robust",
        unit: Literal["characters", "tokens"] = "characters",
        weight: float = 1.0,
    ) -> None:
        """
        Args:
            start_step: Training step from which on the reward is paid.
            scale: Factor that keeps length below accuracy.
            profile: Whether an answer is right: by its task ("robust"), or as the reference.
            unit: What length counts; the reference counts characters.
            weight: Factor in the sum of rewards.
        """
        super().__init__(weight)
        if start_step < 0:
            raise BadInput(f"start_step must be 0 or more, not {start_step}")
        if not math.isfinite(scale):
            raise BadInput(f"scale must be a finite number, not {scale}")
        self.start_step, self.scale, self.profile, self.unit = start_step, scale, profile, unit

    def reward_group(
        self, completions: Sequence[Completion], problem: Problem, step: int
    ) -> list[float]:
        if step < self.start_step:
            return [0.0] * len(completions)
        correct = [self._right(completion, problem) for completion in completions]
        in_tokens = self.unit == "tokens"
        lengths = [text.tokens if in_tokens else len(text) for text in completions]
        return [self.scale * reward for reward in length_rewards(lengths, correct)]

    def _right(self, completion: str, problem: Problem) -> bool:
        if self.profile == "robust":
            return find_task(problem.task).accuracy(completion, problem) == 1
        return same_answer(completion, problem.solution)
