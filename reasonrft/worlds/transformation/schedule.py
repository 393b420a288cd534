"""What the problem with an index asks for, before anything is drawn: so that all is balanced."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from reasonrft.oracles.state_changes import DIRECTIONS
from reasonrft.trance_calls import VALUES

KINDS = ("inner", "out", "in")
"""Moves on the stage, off it and onto it."""
_CARDS = len(DIRECTIONS) * 2 * len(KINDS)


@dataclass(frozen=True, slots=True)
class Aim:
    """One change to be made to some object; steps and kind are a move's."""

    attribute: str
    value: str
    steps: int = 0
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a problem must contain."""

    visible: int
    aims: tuple[Aim, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Plans by index: levels alternate, and each step of a level has its own deck of aims.

    In a deck every attribute is as frequent as every other, and so is each of its values.
    """

    seed: int
    split: str
    visible: tuple[int, int]
    steps: tuple[int, int]
    attributes: tuple[str, ...]
    objects: int = 0
    """Listed objects, some of them off stage; with 0, moves stay on the stage."""
    sizes: tuple[str, ...] = VALUES["change_size"]

    def plan(self, index: int) -> Plan:
        """The plan of the problem with this index."""
        low, high = self.steps
        level = low + self._card("level", high - low + 1, index)
        turn = index // (high - low + 1)
        deck = aims(self.attributes, self.sizes)
        chosen = [deck[self._card(f"{level}/{step}", len(deck), turn)] for step in range(level)]
        low, high = self.visible
        wanted = low + self._card(f"{level}/visible", high - low + 1, turn)
        return Plan(self._room(wanted, chosen), tuple(chosen))

    def _room(self, visible: int, chosen: Sequence[Aim]) -> int:
        """The number of visible objects nearest to the wanted one that the aims can do with."""
        moves = Counter(aim.kind for aim in chosen if self.objects)
        rest = Counter(aim.attribute for aim in chosen if not self.objects or stays(aim))
        least = max(1, moves["out"] + max(rest.values(), default=0))
        # Two hidden objects for each that enters: one is seldom where its move begins.
        most = self.objects - 2 * moves["in"] if self.objects else visible
        return max(least, min(visible, most))

    def _card(self, name: str, size: int, position: int) -> int:
        """The card at a position in an endless row of shuffled decks."""
        cards = list(range(size))
        random.Random(f"{self.seed}/{self.split}/{name}/{position // size}").shuffle(cards)
        return cards[position % size]


def aims(attributes: Sequence[str], sizes: Sequence[str] = VALUES["change_size"]) -> list[Aim]:
    """A deck with equally many aims for each attribute, and for each value of an attribute."""
    deck = []
    for attribute in attributes:
        values = sizes if attribute == "size" else VALUES[f"change_{attribute}"]
        if attribute == "position":
            deck += [Aim(attribute, *move) for move in product(values, (1, 2), KINDS)]
        else:
            deck += [Aim(attribute, value) for value in values] * (_CARDS // len(values))
    return deck


def stays(aim: Aim) -> bool:
    """Whether an aim leaves its object on the stage where it was there before."""
    return aim.kind in ("", "inner")
