"""Does a chain of thought entail its answer? Reads the text, the question and the given facts."""

import math
import re
from collections.abc import Iterable

from reasonrft.problems import Problem
from reasonrft.tasks.numbers import read_number
from tests.worlds.checkers.structure_arithmetic import Equation, equations, evaluate, numbers_in
from tests.worlds.checkers.structure_reasoning import LastStep, conclusion_of

RULES = (1.0, 2.0, 3.0, 90.0, 180.0, 360.0)
"""Numbers that theorems bring along."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_CORNERS = {"quadrilateral": 4.0, "pentagon": 5.0, "hexagon": 6.0}
_ENDINGS = [
    re.compile(r"answer is (?P<value>\S+), which is choice (?P<letter>[A-H])"),
    re.compile(r"(?:Among the choices, )?(?P<value>\S+) is (?:choice )?(?P<letter>[A-H])"),
    re.compile(r"(?:.*)answer (?:is )?(?P<value>\S+)"),
]


class _Fault(Exception):
    """What is wrong with a chain, in one clause."""


def check(problem: Problem) -> str | None:
    """What is wrong with a problem's chain of thought, in one clause, or None."""
    *steps, ending = re.split(r"\.(?:\s+|$)", problem.cot.strip().removesuffix("."))
    try:
        value, letter = _read_ending(ending)
        found = _Reader(problem).read(". ".join(steps))
        if not _same(found, value):
            return f"the steps end at {found}, the conclusion says {value}"
        return _compare(problem, value, letter)
    except _Fault as fault:
        return str(fault)


def _read_ending(ending: str) -> tuple[str, str]:
    for form in _ENDINGS:
        if match := form.search(ending):
            return match["value"], match.groupdict().get("letter") or ""
    raise _Fault(f"no conclusion in {ending!r}")


def _compare(problem: Problem, value: str, letter: str) -> str | None:
    if not problem.choices:
        return (
            None if _same(value, problem.answer) else f"{value} is not the answer {problem.answer}"
        )
    if letter != problem.answer:
        return f"the chain chooses {letter or 'nothing'}, the answer is {problem.answer}"
    named = [i for i, option in enumerate(problem.choices) if _same(value, option)]
    if named != ["ABCDEFGH".index(letter)]:
        return f"{value} is not option {letter} alone"
    return None


def _same(one: str, other: str) -> bool:
    first, second = read_number(one), read_number(other)
    if first is None or second is None:
        return one == other
    return _close(first.value, second.value)


def _close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)


class _Reader:
    """Goes through the steps with all that is known so far."""

    def __init__(self, problem: Problem) -> None:
        self.facts = {fact["name"]: fact["value"] for fact in problem.meta["facts"]}
        question = problem.question.partition("Choices:")[0]
        given = " ".join([question, *self.facts.values()])
        self.known = [*RULES, *numbers_in(given)]
        self.known += [count for word, count in _CORNERS.items() if word in question]
        self.question = question
        self.roots: dict[str, str] = {}
        self.begun = False

    def read(self, steps: str) -> str:
        """Check every equation; the last value found, as text."""
        special = conclusion_of(LastStep(steps, self.question, self.facts))
        if special.fault:
            raise _Fault(special.fault)
        found = list(equations(steps))
        self.roots = _roots(found)
        last = ""
        for equation in found:
            self._check(equation)
            last = equation.sides[-1] if equation.sides else last
        # Words may count up to nine without saying where that comes from: view 2, of 3 parts.
        self._require_known(number for number in _NUMBER.findall(steps) if len(number) > 1)
        return special.value or last

    def _check(self, equation: Equation) -> None:
        if not equation.sides:
            return
        values = [self._value(side) for side in equation.sides]
        if not all(_close(value, values[0]) for value in values):
            raise _Fault(f"{' = '.join(equation.sides)} does not hold")
        if equation.unknown:
            self._check_unknown(equation)
        elif len(equation.sides) > 1:
            self._require_known(equation.sides[:-1])
        else:
            self._check_statement(equation.name, equation.sides[0], values[0])
        self.known += [*values, *(n for side in equation.sides for n in numbers_in(side))]

    def _value(self, side: str) -> float:
        value = evaluate(side, self.roots)
        if value is None:
            raise _Fault(f"{side!r} has no value")
        return value

    def _check_unknown(self, equation: Equation) -> None:
        """The first equation stands on what is given; later ones have the same root."""
        root = self._value(self.roots[equation.unknown])
        moved = self.roots | {equation.unknown: repr(root + 1)}
        aside = [evaluate(side, moved) for side in equation.sides]
        if all(value is not None and _close(value, aside[0] or 0.0) for value in aside):
            raise _Fault(f"{' = '.join(equation.sides)} says nothing of {equation.unknown}")
        if not self.begun:
            # In x = 78 / 2 = 39 the last side is what comes out.
            computed = len(equation.sides) > 2
            self._require_known(equation.sides[:-1] if computed else equation.sides)
            self.begun = True

    def _require_known(self, sides: Iterable[str]) -> None:
        for side in sides:
            for number in numbers_in(side):
                if not any(_close(number, known) for known in self.known):
                    raise _Fault(f"{number:g} in {side!r} comes from nowhere")

    def _check_statement(self, name: str, side: str, value: float) -> None:
        if name in self.facts:
            if not _same(self.facts[name], side):
                raise _Fault(f"{name} is given as {self.facts[name]}, not {side}")
        elif "/" in side:
            self._require_known([side])
        elif not any(_close(value, known) for known in self.known):
            raise _Fault(f"{name} = {side} comes from nowhere")


def _roots(found: list[Equation]) -> dict[str, str]:
    """What the chain finds for each unknown: the last "x = ...", its last side."""
    roots: dict[str, str] = {}
    for equation in found:
        if len(equation.sides) > 1 and equation.sides[0] in ("x", "y", "z"):
            roots[equation.sides[0]] = equation.sides[-1]
    if missing := {e.unknown for e in found if e.unknown} - roots.keys():
        raise _Fault(f"no value found for {', '.join(sorted(missing))}")
    return roots
