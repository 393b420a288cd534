"""What a topology makes, and what it makes it from."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from reasonrft.worlds.structure.chain import Chain
from reasonrft.worlds.structure.figure import Figure
from reasonrft.worlds.structure.plane import Point, settle
from reasonrft.worlds.structure.values import Value

Thing = TypeVar("Thing")
Points = Mapping[str, tuple[float, ...]]

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Fact:
    """One given quantity: its name, its value as written, and how to measure it."""

    name: str
    value: str
    measure: str
    """A name in `measures.MEASURES`."""
    of: tuple[str, ...]
    shown: bool = False
    """Whether it stands in the drawing, rather than in the text."""

    def plain(self) -> dict[str, Any]:
        place = "drawing" if self.shown else "text"
        return {
            "name": self.name,
            "value": self.value,
            "measure": self.measure,
            "of": list(self.of),
            "in": place,
        }


@dataclass(slots=True)
class Puzzle:
    """A question before it has a form: choice or number, this or that size."""

    figure: Figure
    question: str
    answer: Value | str
    chain: Chain
    scene: tuple[Any, ...]
    """What makes the scene and the question this one, apart from names, colours and turning."""
    points: Points = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()
    asked: tuple[str, ...] = ()
    """What is asked for: a measure and its points; empty where the unknown stands in the facts."""
    unknown: str = ""
    """The letter in the labels whose value is asked for."""
    mistakes: tuple[Value | str, ...] = ()
    """Wrong answers that an error would give."""
    options: int = 4
    unit: str = ""
    state: dict[str, Any] = field(default_factory=dict)


def in_turn(values: Sequence[Thing], turn: int, seed: str) -> Thing:
    """One of the values: every block of turns takes each of them once, in a shuffled order."""
    block, place = divmod(turn, len(values))
    order = list(range(len(values)))
    random.Random(f"{seed}/{block}").shuffle(order)
    return values[order[place]]


class Draw:
    """The randomness of one attempt, and what the index asks for."""

    def __init__(
        self, rng: random.Random, targets: str, turn: int, small: bool, compact: bool
    ) -> None:
        """
        Args:
            rng: Source of everything but the target.
            targets: Seed of the order in which targets come.
            turn: How many problems of this topology come before this one.
            small: Keep numbers and figures small.
            compact: Write compact chains.
        """
        self.rng, self.targets, self.turn, self.small = rng, targets, turn, small
        self.chain = Chain(rng, compact)

    def target(self, values: Sequence[Thing], kind: str = "") -> Thing:
        """The value whose turn it is, in an order of its own for each kind of target."""
        return in_turn(values, self.turn, f"{self.targets}/{kind}")

    def choose(self, values: Sequence[Thing]) -> Thing:
        return self.rng.choice(values)

    def number(self, low: int, high: int) -> int:
        return self.rng.randint(low, high)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def letters(self, count: int) -> list[str]:
        """Names of points: often ABC, sometimes other neighbours of the alphabet, unless small."""
        start = 0 if self.chance(0.5) or self.small else self.number(0, len(ALPHABET) - count)
        return list(ALPHABET[start : start + count])

    def turned(self, points: Sequence[Point], level: bool = False) -> list[Point]:
        """The points turned and perhaps mirrored; level ones keep their base line."""
        quarter = 0 if level else self.choose([0, 0, 0, 8, -12, 20, -25, 35, 60, 90, 135, 180, 200])
        mirrored = self.chance(0.5)
        return [_turn((-x, y) if mirrored else (x, y), quarter) for x, y in points]


def _turn(point: Point, degrees: float) -> Point:
    turn = math.radians(degrees)
    x, y = point
    return settle(
        (x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn))
    )
