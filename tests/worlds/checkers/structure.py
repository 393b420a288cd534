"""Is the answer right, and does the figure show what is given? Measured on coordinates."""

import math
import re
from collections.abc import Mapping
from typing import Any

from reasonrft.problems import Problem
from reasonrft.tasks.numbers import read_number
from tests.worlds.checkers.structure_chain import check
from tests.worlds.checkers.structure_measures import MEASURES
from tests.worlds.checkers.structure_recount import recount

TOLERANCE = 1e-6


def verify(problem: Problem) -> str | None:
    """What is wrong with a problem, in one clause, or None.

    Its figure must show what is given, its answer must follow from the figure, and its chain must
    entail the answer.
    """
    return answer_fault(problem) or check(problem)


def answer_fault(problem: Problem) -> str | None:
    """What is wrong with the answer or the facts, measured or counted again on the figure."""
    meta = problem.meta
    answer = _answer(problem)
    if (fault := _facts_fault(meta, answer)) or (fault := _placed_fault(problem)):
        return fault
    if meta["unknown"]:
        return _unknown_fault(meta, answer)
    name, *of = meta["asked"]
    key = "circle area" if name == "area" and len(of) == 2 else name
    if key in MEASURES:
        found = MEASURES[key](*(meta["points"][point] for point in of))
        return None if _agrees(found, answer) else f"{name} is {found:g}, the answer says {answer}"
    facts = {fact["name"]: fact["value"] for fact in meta["facts"]}
    counted = recount(meta["asked"], facts, meta["state"])
    return (
        None
        if counted == answer.removesuffix("°")
        else f"counted again: {counted}, the answer says {answer}"
    )


def _answer(problem: Problem) -> str:
    """The answer itself, through the choices where there are any."""
    if not problem.choices:
        return problem.answer
    return problem.choices["ABCDEFGH".index(problem.answer)]


def _agrees(found: float, text: str) -> bool:
    number = read_number(text)
    return number is not None and math.isclose(found, number.value, rel_tol=1e-7, abs_tol=TOLERANCE)


def _facts_fault(meta: Mapping[str, Any], answer: str) -> str | None:
    """Each given quantity, measured; unknowns stand for the answer."""
    for fact in meta["facts"]:
        if fact["measure"] not in MEASURES:
            continue
        found = MEASURES[fact["measure"]](*(meta["points"][point] for point in fact["of"]))
        if not _agrees(found, substituted(fact["value"], meta["unknown"], answer)):
            return f"{fact['name']} measures {found:g}, given is {fact['value']}"
    return None


def substituted(label: str, unknown: str, answer: str) -> str:
    """A label with a value in place of its unknown: (2x-14)° becomes 2(22)-14."""
    text = label.removesuffix("°")
    return text.replace(unknown, f"({answer})") if unknown else text


def _unknown_fault(meta: Mapping[str, Any], answer: str) -> str | None:
    """Another value of the unknown must break a fact, else the labels do not decide it."""
    number = read_number(answer)
    if number is None:
        return f"{answer!r} is no number"
    if _facts_fault(meta, repr(number.value + 0.5)) is None:
        return f"the labels say nothing of {meta['unknown']}"
    return None


def _placed_fault(problem: Problem) -> str | None:
    """Facts stand where they are said to stand: in the text, or as labels in the drawing."""
    text = problem.question.partition("\nChoices:")[0]
    labels = problem.meta["labels"]
    for fact in problem.meta["facts"]:
        if fact["measure"] in ("height", "view", "parts", "levels", "rows", "columns", "direction"):
            continue  # shown by shapes
        if fact["in"] == "drawing":
            if fact["value"] not in labels:
                return f"{fact['value']} is not in the drawing"
            if problem.meta["split"] == "ood" and _is_told(fact["value"], text):
                return f"{fact['value']} is in the text too"
        elif not _is_told(fact["value"], text):
            return f"{fact['name']} = {fact['value']} is not in the text"
    return None


def _is_told(value: str, text: str) -> bool:
    """Whether a number stands in a text; a lone unknown is no number."""
    return any(sign.isdigit() for sign in value) and bool(
        re.search(rf"(?<!\d){re.escape(value)}(?!\d)", text)
    )
