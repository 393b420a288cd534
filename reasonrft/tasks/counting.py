"""Visual counting: how many objects are left after an imagined addition or subtraction."""

from reasonrft.problems import Problem
from reasonrft.tasks.base import Task
from reasonrft.tasks.numbers import read_number


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
        given, gold = read_number(answer), read_number(problem.answer)
        return given is not None and gold is not None and given.exact == gold.exact is not None

    def fault(self, problem: Problem) -> str | None:
        gold = read_number(problem.answer)
        if gold is None or gold.exact is None or gold.exact.denominator != 1:
            return f"{problem.answer!r} is not a whole number"
        return None
