"""Finding the equations in a chain of thought and evaluating their sides."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from reasonrft.tasks.numbers import read_number

_TOKEN = re.compile(r"\d+(?:\.\d+)?|[=+\-×/()√π]|(?<![A-Za-z])[xyz](?![A-Za-z])|[^\s.,;:=]+|[.,;:]")
_MATH = re.compile(r"\d+(?:\.\d+)?|[=+\-×/()√π]|[xyz]")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Equation:
    """Sides that are said to be equal, and the word before the first sign if one stands there."""

    name: str
    sides: tuple[str, ...]

    @property
    def unknown(self) -> str:
        """The letter in it, if there is one."""
        found = re.search(r"[xyz]", " ".join(self.sides))
        return found[0] if found else ""


def equations(text: str) -> Iterator[Equation]:
    """Every run of numbers and signs that holds an equality, in order."""
    run: list[str] = []
    before = ""
    for token in [*_TOKEN.findall(text), "."]:
        if _MATH.fullmatch(token):
            run.append(token)
            continue
        if "=" in run:
            yield _equation(before, run)
        before, run = token, []


def _equation(before: str, run: list[str]) -> Equation:
    first, *sides = "".join(f" {token}" for token in run).split("=")
    named = not first.strip()
    texts = [side.strip() for side in (sides if named else [first, *sides])]
    return Equation(before if named else "", tuple(text for text in texts if text))


def numbers_in(text: str) -> list[float]:
    return [float(number) for number in _NUMBER.findall(text)]


def evaluate(side: str, values: dict[str, str]) -> float | None:
    """The value of a side where unknowns have these values, or None if it has none."""
    for name, value in values.items():
        side = re.sub(rf"(\d) {name}", rf"\1 × {name}", side).replace(name, f"({value})")
    number = read_number(side)
    return number.value if number else None
