"""How much of a function sequence is right."""

from typing import Literal

from reasonrft.problems import Problem
from reasonrft.rewards.base import Reward
from reasonrft.tasks import TransformationTask
from reasonrft.tasks.reference_functions import staged_credit
from reasonrft.tasks.tags import read_response

_WORTH = {"exact": (0.0, 0.0), "partial": (0.5, 0.25), "penalised": (-0.25, -0.5)}


class FunctionSequenceReward(Reward):
    """Credit per call over the longer sequence; a step with several right answers takes any."""

    def __init__(
        self, credit: Literal["exact", "partial", "penalised"] = "exact", weight: float = 1.0
    ) -> None:
        """
        Args:
            credit: What a call earns that is right in part: nothing, a share, or a loss.
            weight: Factor in the sum of rewards.
        """
        super().__init__(weight)
        self.near, self.function_only = _WORTH[credit]
        self.task = TransformationTask()

    def reward(self, completion: str, problem: Problem) -> float:
        response = read_response(completion)
        sequences = self.task.sequences(response.answer or "", problem)
        if sequences is None or response.claims:
            return 0.0
        given, gold = sequences
        return staged_credit(given, gold, self.near, self.function_only) / max(
            len(given), len(gold)
        )
