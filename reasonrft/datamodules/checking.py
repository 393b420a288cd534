"""What must hold of problems before anything is trained or tested on them."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from reasonrft.datamodules.encoding import Target
from reasonrft.errors import BadInput
from reasonrft.problems import Problem
from reasonrft.tasks import Task, find_task

_SHOWN = 10


def check(
    problems: Sequence[Problem],
    split: str,
    task: Task | None = None,
    pictures: int | None = None,
    target: Target | None = None,
) -> None:
    """Raise `BadInput` about the first problem that cannot be used.

    Args:
        problems: All of one split.
        split: What it is called.
        task: Whose gold answers these are; each problem's own task's if not given.
        pictures: How many pictures each problem has; none or more in all of them if not given.
        target: What is to be learned, where something is.
    """
    if not problems:
        raise BadInput(f"split {split} has no problems")
    pictured = sum(bool(problem.images) for problem in problems)
    for problem in problems:
        fault = (
            _picture_fault(problem, pictures, pictured, len(problems))
            or (target == "cot" and not problem.cot.strip() and _NO_THOUGHT)
            or (task or find_task(problem.task)).fault(problem)
        )
        if fault:
            raise BadInput(f"split {split}, problem {problem.id!r}: {fault}")


_NO_THOUGHT = "it has no chain of thought to learn from; train on answers alone (target: answer)"


def _picture_fault(problem: Problem, pictures: int | None, pictured: int, count: int) -> str | None:
    found = len(problem.images)
    if pictures is not None and found != pictures:
        return f"it has {_pictures(found)}, and {problem.task} takes {_pictures(pictures)}"
    if pictures is None and not found and pictured:
        return (
            f"it has no picture, while {pictured:,} of {count:,} problems have one; put problems "
            "of text alone into a data set of their own"
        )
    return None


def _pictures(count: int) -> str:
    return f"{count} picture{'' if count == 1 else 's'}" if count else "no picture"


def watched(names: Sequence[str], splits: Sequence[str]) -> tuple[str, ...]:
    """The splits that are named, in their order; `BadInput` about a name that is none's."""
    others = [split for split in splits if split != "train"]
    for name in names:
        # Many sources have no validation split, and "val" is what is watched by default.
        if name != "val" and not any(fnmatchcase(split, name) for split in others):
            there = ", ".join(others) or "none"
            raise BadInput(f"watch names {name!r}, which is no split to be answered: use {there}")
    return tuple(split for split in others if any(fnmatchcase(split, name) for name in names))


def left_out(ids: Sequence[str], count: int, split: str, limit: int) -> str:
    """What is said of problems that are too long."""
    more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
    return (
        f"{split}: {len(ids):,} of {count:,} problems are longer than max_tokens={limit:,} and are "
        f"left out: {', '.join(ids[:_SHOWN])}{more}"
    )
