"""Rewards for a right answer."""

from typing import Literal

from reasonrft.errors import BadInput
from reasonrft.problems import Problem
from reasonrft.rewards.base import Reward
from reasonrft.tasks import Task, find_task
from reasonrft.tasks.numbers import read_number
from reasonrft.tasks.reference_functions import REFERENCE_FUNCTIONS, ReferenceName, closeness
from reasonrft.tasks.tags import read_response
from reasonrft.tasks.units import units_agree
from reasonrft.tasks.vocabulary import words_of

Profile = Literal["robust", "scripts", "paper"]


class AccuracyReward(Reward):
    """What each problem's task pays for an answer.

    A task may pay part of the reward for part of an answer, as transformation does for some right
    calls. Evaluation counts whole answers only; `credit: exact` trains on that.
    """

    def __init__(
        self,
        profile: Profile = "robust",
        task: Task | None = None,
        credit: Literal["task", "exact"] = "task",
        weight: float = 1.0,
    ) -> None:
        """
        Args:
            profile: "robust", or the reference as its "scripts" train or as its "paper" says.
            task: Treat every problem as of this task, instead of by its own task.
            credit: "task" pays as the task trains, in part for part of an answer where it says
                so; "exact" pays whole right answers only, as evaluation counts them.
            weight: Factor in the sum of rewards.
        """
        super().__init__(weight)
        if credit == "exact" and profile != "robust":
            raise BadInput(f"credit 'exact' needs profile 'robust', not {profile!r}")
        self.profile, self.task, self.credit = profile, task, credit
        self.marks_right = profile == "robust"

    def reward(self, completion: str, problem: Problem) -> float:
        task = self.task or find_task(problem.task)
        if self.profile != "robust":
            return task.reference_reward(completion, problem, self.profile)
        if self.credit == "exact":
            return task.accuracy(completion, problem)
        return task.reward(completion, problem)


class ReferenceReward(Reward):
    """One of the reference's accuracy functions, whatever the task."""

    def __init__(self, function: ReferenceName, weight: float = 1.0) -> None:
        """
        Args:
            function: Its name, as the reference's scripts choose it.
            weight: Factor in the sum of rewards.
        """
        super().__init__(weight)
        self.function = REFERENCE_FUNCTIONS[function]

    def reward(self, completion: str, problem: Problem) -> float:
        return self.function(completion, problem.solution)


class MathematicalReward(Reward):
    """Full credit for a right answer, less for a number that is merely close."""

    def __init__(self, near: float = 0.05, far: float = 0.20, weight: float = 1.0) -> None:
        """
        Args:
            near: Relative distance up to which a number counts as right.
            far: Relative distance from which on it earns nothing.
            weight: Factor in the sum of rewards.
        """
        super().__init__(weight)
        if not 0 <= near < far < float("inf"):
            raise BadInput(f"near must be less than far and not negative, not {near} and {far}")
        self.near, self.far = near, far

    def reward(self, completion: str, problem: Problem) -> float:
        if find_task(problem.task).accuracy(completion, problem):
            return 1.0
        response = read_response(completion)
        given = read_number(response.answer or "", words_of(problem.question))
        gold = read_number(problem.answer)
        if given is None or gold is None or response.claims:
            return 0.0
        # The gold value itself was refused for another reason, such as "about 3" objects.
        if given.value == gold.value or not units_agree(given.unit, gold.unit, problem.question):
            return 0.0
        return closeness(given.value, gold.value, self.near, self.far)
