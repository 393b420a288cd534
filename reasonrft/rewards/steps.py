"""Whether the thought goes in steps."""

from reasonrft.problems import Problem
from reasonrft.rewards.base import Reward
from reasonrft.tasks import reference_functions as reference


class ReasoningStepsReward(Reward):
    """A third for each mark of a step ("Step 1:", "First,", a list item), three at most."""

    reads_answer = False

    def reward(self, completion: str, problem: Problem) -> float:
        return reference.reasoning_steps(completion)
