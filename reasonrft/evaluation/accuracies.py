"""The two measures of an answer: as the reference's evaluation scores it, and strictly."""

from reasonrft.problems import Problem
from reasonrft.rewards.accuracy import solution_of
from reasonrft.rewards.base import Reward
from reasonrft.symbolic import VERIFIER
from reasonrft.tasks import find_task
from reasonrft.tasks.reference_functions import find_calls, staged_credit
from reasonrft.tasks.tags import first_answer_block


class StrictScorer(Reward):
    """1 for a completion that commits to one right answer, all calls included, else 0."""

    def score(self, completion: str, problem: Problem) -> float:
        return find_task(problem.task).accuracy(completion, problem)


class OfficialScorer(Reward):
    """The reference's evaluation, each of its quirks a switch that is on as it has it."""

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
            task: Score every problem as of this task, instead of by its own task.
            single_line: Calls in an answer block of several lines are sought in the whole text.
            untagged: Without an answer block the whole text is the answer, thought included.
            symbolic: What math-verify finds equal is right: "3 objects", "3.0", "140°" for 140.
            substring: Without tags, a solution that occurs anywhere is right (its closed models).
            partial: Calls right in part count in part, instead of only exact ones.
            repeats_free: Giving a call twice costs nothing.
            weight: Factor in the sum of rewards.
        """
        super().__init__(weight)
        self.task = task
        self.single_line, self.untagged, self.symbolic = single_line, untagged, symbolic
        self.substring, self.partial, self.repeats_free = substring, partial, repeats_free

    def score(self, completion: str, problem: Problem) -> float:
        solution = solution_of(problem)
        if (self.task or problem.task) == "transformation":
            return self._score_calls(completion, solution)
        return float(self._agrees(completion, solution))

    def _agrees(self, completion: str, solution: str) -> bool:
        block = first_answer_block(completion)
        if block is None and self.substring and solution.strip() in completion:
            return True
        if block is None and not self.untagged:
            return False
        answer = completion.strip() if block is None else block
        if answer == (solution.strip() if block is None else solution):
            return True
        return self.symbolic and VERIFIER.agree(answer, solution)

    def _score_calls(self, completion: str, solution: str) -> float:
        calls = find_calls(self._calls_text(completion))
        given, gold = list(dict.fromkeys(calls)), list(dict.fromkeys(find_calls(solution)))
        if not given or not gold:
            return 0.0
        worth = (0.5, 0.25) if self.partial else (0.0, 0.0)
        credit = staged_credit(given, gold, *worth) / max(len(given), len(gold))
        return credit if self.repeats_free else credit * len(given) / len(calls)

    def _calls_text(self, completion: str) -> str:
        sought = completion.split("\n") if self.single_line else [completion]
        for text in sought:
            if (block := first_answer_block(text)) is not None:
                return block
        return completion if self.untagged else ""
