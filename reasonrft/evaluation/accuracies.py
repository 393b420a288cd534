"""The two measures of an answer as rewards: strict, and as the reference's evaluation has it."""

from reasonrft.problems import Problem
from reasonrft.rewards.base import Reward
from reasonrft.tasks import find_task
from reasonrft.tasks.official_rules import OfficialRules


class StrictAccuracy(Reward):
    """1 for a completion that commits to one right answer, all calls included, else 0."""

    def reward(self, completion: str, problem: Problem) -> float:
        return find_task(problem.task).accuracy(completion, problem)


class OfficialAccuracy(Reward):
    """The task's official accuracy; each quirk of the reference is a switch, set as it has it."""

    def __init__(
        self,
        task: str | None = None,
        single_line: bool = True,
        untagged: bool = True,
        symbolic: bool = True,
        substring: bool = False,
        partial: bool = True,
        repeats_free: bool = True,
        weight: float = 1.0,
    ) -> None:
        """
        Args:
            task: Measure every problem as of this task, instead of by its own task.
            single_line: Calls in an answer block of several lines are sought in the whole text.
            untagged: Without an answer block the whole text is the answer, thought included.
            symbolic: What math-verify finds equal is right: "3 objects", "3.0", "140°" for 140.
            substring: Without tags, a solution that occurs anywhere is right (its closed models).
            partial: Calls right in part count in part, instead of only exact ones.
            repeats_free: Giving a call twice costs nothing.
            weight: Factor in the sum of rewards.
        """
        super().__init__(weight)
        self.task = find_task(task) if task else None
        self.rules = OfficialRules(
            single_line, untagged, symbolic, substring, partial, repeats_free
        )

    def reward(self, completion: str, problem: Problem) -> float:
        task = self.task or find_task(problem.task)
        return task.official_accuracy(completion, problem, self.rules)
