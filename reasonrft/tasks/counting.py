"""Visual counting: how many objects are left after an imagined addition or subtraction."""

import re

from reasonrft.problems import Problem
from reasonrft.tasks.base import Task
from reasonrft.tasks.numbers import MAX_LENGTH, read_number
from reasonrft.tasks.vocabulary import words_of

_NONE = re.compile(r"\b(?:no|none)\b", re.I)

_ABOUT = re.compile(r"≈|~|\\approx|\\sim")


def _inexact(answer: str) -> bool:
    """Whether it is an estimate or an amount of money; a pair of dollars only marks LaTeX."""
    return bool(_ABOUT.search(answer)) or answer.count("$") % 2 == 1


class CountingTask(Task):
    """Answers are whole numbers."""

    name = "counting"
    title = "Visual counting"
    reasoning_template = (
        "{question}\nLook at the picture and work it out step by step inside <think> </think>, "
        "then give the number alone inside <answer> </answer>."
    )
    ood_splits = ("ood-domain", "ood-operation")

    def agrees(self, answer: str, problem: Problem) -> bool:
        gold = read_number(problem.answer)
        if len(answer) > MAX_LENGTH or gold is None or _inexact(answer):
            return False
        given = read_number(_NONE.sub("0", answer), words_of(problem.question))
        # Objects have no unit of measure.
        return given is not None and not given.unit and given.exact == gold.exact is not None

    def fault(self, problem: Problem) -> str | None:
        gold = read_number(problem.answer)
        if gold is None or gold.exact is None or gold.exact.denominator != 1:
            return f"{problem.answer!r} is not a whole number"
        return None
