"""What a question needs of a scene: groups of objects, and a scene filled with them."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reasonrft.worlds.counting.words import ATTRIBUTES, Description, fits, plural_phrase

EVERYTHING: Description = {}

_FILL_TRIES = 200


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: objects to count, some of them taken off, and a number on top."""

    text: str
    asked: Description
    removed: tuple[Description, ...] = ()
    change: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """So many objects that fit one description and none of some others."""

    number: int
    inside: Description
    outside: tuple[Description, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """A question and the groups of a scene on which it has the wanted answer."""

    question: Question
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Source:
    """What a family draws from: values of the attributes, and fewest and most objects."""

    rng: random.Random
    values: Mapping[str, Sequence[str]]
    objects: tuple[int, int]

    def value(self, attribute: str, other_than: str = "") -> str:
        return self.rng.choice([value for value in self.values[attribute] if value != other_than])

    def described(self, *attributes: str) -> Description:
        return {key: self.value(key) for key in attributes}

    def some(self, attributes: Sequence[str], least: int = 1) -> Description:
        """A description by some attributes, of those that tell objects apart."""
        useful = [key for key in attributes if len(self.values[key]) > 1]
        number = self.rng.randint(min(least, len(useful)), len(useful))
        chosen = self.rng.sample(useful, number)
        return {key: self.value(key) for key in ATTRIBUTES if key in chosen}

    def size(self, least: int) -> int:
        """How many objects there are, at least so many."""
        return self.few(max(least, self.objects[0]), self.objects[1])

    def few(self, low: int, high: int) -> int:
        """A number in a range, more often a small one."""
        return low + int((high - low + 1) * self.rng.random() ** 2)

    def phrase(self, asked: Description) -> str:
        return plural_phrase(self.rng, asked)


def fill(source: Source, draft: Draft) -> list[Description] | None:
    """Attributes of a scene's objects as a draft wants them, otherwise uniform and independent."""
    things = []
    for group in draft.groups:
        for _ in range(group.number):
            thing = _fill_one(source, group)
            if thing is None:
                return None
            things.append(thing)
    source.rng.shuffle(things)
    return things


def _fill_one(source: Source, group: Group) -> Description | None:
    for _ in range(_FILL_TRIES):
        thing = source.described(*ATTRIBUTES) | group.inside
        if not any(fits(thing, other) for other in group.outside):
            return thing
    return None
