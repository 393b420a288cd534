"""A judge's grade (WeThink, arXiv 2506.07905), for answers that no rule can compare.

r = 1                                  where the task's rule finds the answer right, if asked to
r = (grade - lowest) / (highest - lowest)              of a model that sees the right answer
"""

import re
from pathlib import Path
from typing import Literal

from reasonrft.errors import BadInput
from reasonrft.evaluation.endpoint_client import Endpoint
from reasonrft.problems import Problem
from reasonrft.rewards.completion import Completion
from reasonrft.rewards.endpoint_reward import EndpointReward, Fallback
from reasonrft.rewards.judge_prompt import fields_of, read_judge_template, write_question
from reasonrft.tasks import find_task
from reasonrft.tasks.tags import read_response

Scale = tuple[float, float] | Literal["yes_no"]

_LAST_LINE = re.compile(
    r"Grade:\s*(?:(-?[0-9]+(?:\.[0-9]+)?)(?:\s*/\s*([0-9]+))?|(yes|no))\.?", re.IGNORECASE
)


class JudgeReward(EndpointReward):
    """Pays what a model grades that compares the answer with the right one."""

    def __init__(
        self,
        endpoint: Endpoint,
        template: str | Path | None = None,
        scale: Scale = (0.0, 10.0),
        rule_first: bool = False,
        longest: int = 8000,
        max_tokens: int = 1024,
        seconds: float = 60.0,
        fallback: Fallback = "skip",
        stop_after: int | None = 32,
        weight: float = 1.0,
    ) -> None:
        """
        Args:
            endpoint: Who judges, and how it is asked.
            template: What it is asked: text with {answer} or {completion}, and with {question} and
                {gold} where it needs them, or the name of a file of that.
            scale: Lowest and highest grade, or yes_no.
            rule_first: An answer that the problem's task finds right earns 1, and is not judged.
            longest: Characters of a field from which on it is cut.
            max_tokens: Most tokens of a reply.
            seconds: Seconds that a call may take, with all that is tried again.
            fallback: What a completion earns whose call has failed: a number from 0 to 1; "skip",
                the mean of the others in its group, so that it has no advantage; "stop" ends the
                run instead.
            stop_after: So many calls that fail one after the other end the run; null never does.
            weight: Factor in the sum of rewards.
        """
        super().__init__(endpoint, max_tokens, seconds, fallback, stop_after, weight)
        if scale != "yes_no" and not float("-inf") < scale[0] < scale[1] < float("inf"):
            raise BadInput(f"scale must be yes_no or two rising numbers such as 0, 10, not {scale}")
        if longest < 1:
            raise BadInput(f"longest must be at least 1, not {longest}")
        self.template, self.scale = read_judge_template(template), scale
        self.rule_first, self.longest = rule_first, longest
        self.reads_answer = rule_first or "gold" in fields_of(self.template)  # type: ignore[misc]

    def question(self, completion: Completion, problem: Problem) -> str | float:
        statements = read_response(completion).statements
        if not "".join(statements).strip():
            return 0.0
        if self.rule_first and find_task(problem.task).accuracy(completion, problem) == 1:
            return 1.0
        values = {
            "question": problem.question,
            "gold": problem.answer,
            "answer": "\n".join(statements),
            "completion": completion,
        }
        return write_question(self.template, values, self._form, self.longest)

    def grade(self, reply: str, problem: Problem) -> float | None:
        return read_grade(reply, self.scale)

    @property
    def _form(self) -> str:
        if self.scale == "yes_no":
            return "Grade: yes\nor, if the answer is wrong,\nGrade: no"
        lowest, highest = self.scale
        return (
            f"Grade: N\nwhere N is a number from {lowest:g} (wrong) to {highest:g} (right in full)"
        )


def read_grade(reply: str, scale: Scale) -> float | None:
    """The grade of the last line alone, from 0 to 1; None where there is none on the scale."""
    last = reply.rstrip().rpartition("\n")[2].strip().replace("*", "")
    found = _LAST_LINE.fullmatch(last)
    if found is None:
        return None
    number, highest_told, verdict = found.groups()
    if scale == "yes_no":
        return None if verdict is None else float(verdict.lower() == "yes")
    if number is None or (highest_told and float(highest_told) != scale[1]):
        return None
    lowest, highest = scale
    place = (float(number) - lowest) / (highest - lowest)
    return place if 0 <= place <= 1 else None
