"""Whether the answer is right, in three profiles."""

from collections.abc import Callable
from typing import Literal

from reasonrft.problems import Problem
from reasonrft.rewards.base import Reward
from reasonrft.tasks import Task, TransformationTask, find_task
from reasonrft.tasks import reference_functions as reference
from reasonrft.tasks.numbers import read_number
from reasonrft.tasks.tags import read_response

Profile = Literal["robust", "scripts", "paper"]

ReferenceName = Literal["accuracy", "math_accuracy", "trance", "trance_only_full", "trance_penalty"]

_REFERENCE: dict[str, Callable[[str, str], float]] = {
    "accuracy": reference.accuracy,
    "math_accuracy": reference.mathematical_accuracy,
    "trance": reference.function_accuracy,
    "trance_only_full": reference.exact_function_accuracy,
    "trance_penalty": reference.penalised_function_accuracy,
}
_PROFILES: dict[str, dict[str, ReferenceName]] = {
    "scripts": {"transformation": "trance_only_full"},
    "paper": {"structure": "math_accuracy", "transformation": "trance"},
}


def solution_of(problem: Problem) -> str:
    """The gold answer as the reference reads it, with tags where the source has them."""
    return problem.meta.get("solution", problem.answer)


class AccuracyReward(Reward):
    """The accuracy that belongs to each problem's task."""

    def __init__(
        self, profile: Profile = "robust", task: Task | None = None, weight: float = 1.0
    ) -> None:
        """
        Args:
            profile: "robust", or the reference as its "scripts" train or as its "paper" says.
            task: Judge every problem as this task, instead of by its own task.
            weight: Factor in the sum of rewards.
        """
        super().__init__(weight)
        self.profile = profile
        self.task = task

    def score(self, completion: str, problem: Problem) -> float:
        task = self.task or find_task(problem.task)
        if self.profile == "robust":
            if isinstance(task, TransformationTask):
                return task.call_accuracy(completion, problem)
            return task.accuracy(completion, problem)
        function = _PROFILES[self.profile].get(task.name, "accuracy")
        return _REFERENCE[function](completion, solution_of(problem))


class ReferenceReward(Reward):
    """One of the reference's accuracy functions, whatever the task."""

    def __init__(self, function: ReferenceName, weight: float = 1.0) -> None:
        """
        Args:
            function: Its name, as the reference's scripts choose it.
            weight: Factor in the sum of rewards.
        """
        super().__init__(weight)
        self.judge = _REFERENCE[function]

    def score(self, completion: str, problem: Problem) -> float:
        return self.judge(completion, solution_of(problem))


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
        if not 0 <= near < far:
            raise ValueError(f"near must be less than far and not negative, not {near} and {far}")
        self.near, self.far = near, far

    def score(self, completion: str, problem: Problem) -> float:
        if find_task(problem.task).accuracy(completion, problem):
            return 1.0
        given = read_number(read_response(completion).answer or "")
        gold = read_number(problem.answer)
        if given is None or gold is None:
            return 0.0
        return reference.closeness(given.value, gold.value, self.near, self.far)
