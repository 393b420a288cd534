"""What must hold of problems before anything is trained or tested on them."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal

from reasonrft.datamodules.encode_batch import Target
from reasonrft.errors import BadInput, printable
from reasonrft.problems import Problem
from reasonrft.tasks import Task, find_task

_SHOWN = 10


def check(
    problems: Sequence[Problem],
    split: str,
    task: Task | None = None,
    image_count: int | None = None,
    target: Target | Literal["pairs"] | None = None,
) -> None:
    """Raise `BadInput` about the first problem that cannot be used.

    Args:
        problems: All of one split.
        split: What it is called.
        task: Whose gold answers these are; each problem's own task's if not given.
        image_count: How many images each problem has; none or more in all of them if not given.
        target: What is to be learned, where something is.
    """
    if not problems:
        raise BadInput(f"split {split} has no problems")
    with_image = sum(bool(problem.images) for problem in problems)
    for problem in problems:
        fault = (
            _image_fault(problem, image_count, with_image, len(problems))
            or (target == "cot" and not problem.cot.strip() and _NO_THOUGHT)
            or (target == "pairs" and _pair_fault(problem))
            or (target != "pairs" and (task or find_task(problem.task)).fault(problem))
        )
        if fault:
            raise BadInput(f"split {split}, problem {problem.id!r}: {fault}")


_NO_THOUGHT = "it has no chain of thought to learn from; train on answers alone (target: answer)"


def _pair_fault(problem: Problem) -> str | None:
    """Pairs need no answer: which of two completions is better is known without one."""
    for side in ("chosen", "rejected"):
        if not isinstance(problem.meta.get(side), str):
            return f"it has no {side} completion; pairs are records with chosen and rejected"
    return None


def _image_fault(
    problem: Problem, image_count: int | None, with_image: int, count: int
) -> str | None:
    there = len(problem.images)
    if image_count is not None and there != image_count:
        return f"it has {_images(there)}, and {problem.task} takes {_images(image_count)}"
    if image_count is None and not there and with_image:
        return (
            f"it has no image, while {with_image:,} of {count:,} problems have one; put problems "
            "of text alone into a data set of their own"
        )
    return None


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}" if count else "no image"


def named_splits(names: Sequence[str] | None, splits: Sequence[str]) -> tuple[str, ...]:
    """The splits that are named, in their order; "val" where none is named or patterns fit none.

    A name without pattern that is no split is a `BadInput`.
    """
    others = [split for split in splits if split != "train"]
    there = ", ".join(others) or "none"
    for name in names or ():
        if not _is_pattern(name) and name not in others:
            raise BadInput(
                f"val_splits names {name!r}, which is no split to be answered: use {there}"
            )
    named = tuple(
        split for split in others if any(fnmatchcase(split, name) for name in names or ())
    )
    if named or (names is not None and not names):
        return named
    return tuple(split for split in others if split == "val")


def validation_note(
    names: Sequence[str] | None, chosen: Sequence[str], splits: Sequence[str]
) -> str | None:
    """What is to be said of validation where it is not on what was named."""
    if chosen and not any(fnmatchcase(split, name) for split in chosen for name in names or chosen):
        return f"no split fits val_splits {', '.join(names or ())}: validation answers val"
    if chosen or (names is not None and not names):
        return None
    others = ", ".join(split for split in splits if split != "train") or "none"
    return f"there is no val split, so that nothing is answered while training (others: {others})"


def _is_pattern(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def left_out(ids: Sequence[str], count: int, split: str, limit: int) -> str:
    """What is said of problems that are too long."""
    more = f" and {len(ids) - _SHOWN:,} more" if len(ids) > _SHOWN else ""
    return (
        f"{split}: {len(ids):,} of {count:,} problems are longer than max_tokens={limit:,} and are "
        f"left out: {printable(', '.join(ids[:_SHOWN]))}{more}"
    )
