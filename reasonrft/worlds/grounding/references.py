"""How a question says which objects it means, and what a scene must hold for that."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reasonrft.worlds.counting.drafts import EVERYTHING, Draft, Group, Question, Source
from reasonrft.worlds.counting.words import (
    ATTRIBUTES,
    SIDES,
    SYNONYMS,
    Description,
    clear_distance,
    described,
    fits,
    plain_plural,
    plural_phrase,
)

MOST_MEANT = 3
"""Most objects that a question means."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What is asked for: objects of a kind, or the one beside the only object of a kind."""

    draft: Draft
    """The question, and the objects of a scene for which it has its answer."""
    kind: Description
    side: str = ""
    """On which side of that object; the objects of the kind themselves if empty."""

    @property
    def plain(self) -> str:
        """What is looked for, in the words that scenes use."""
        kind = plain_plural(self.kind)
        return f"objects {self.side} {kind}" if self.side else kind

    def meant(self, scene: Mapping[str, Any]) -> list[int] | None:
        """Which of a scene's objects are meant; None where it is not beyond doubt."""
        items: Sequence[Mapping[str, Any]] = scene["objects"]
        of_kind = [i for i, item in enumerate(items) if fits(described(item), self.kind)]
        if not self.side:
            return of_kind
        axis, way = SIDES[self.side]
        (anchor,) = of_kind
        apart = [
            way * (item["pixel_coords"][axis] - items[anchor]["pixel_coords"][axis])
            for item in items
        ]
        clear = clear_distance(axis, scene["width"])
        beside = [i for i, distance in enumerate(apart) if distance >= clear]
        doubtful = any(abs(distance) < clear for i, distance in enumerate(apart) if i != anchor)
        return None if doubtful or len(beside) != 1 else beside


def _kind(source: Source, count: int) -> Description:
    """As many attributes with their values, of those that tell objects apart."""
    useful = [key for key in ATTRIBUTES if len(source.values[key]) > 1]
    chosen = source.rng.sample(useful, count)
    return {key: source.value(key) for key in ATTRIBUTES if key in chosen}


def _one(source: Source, count: int) -> Reference:
    """The only red object."""
    kind = _kind(source, 1)
    rest = Group(source.size(2) - 1, EVERYTHING, (kind,))
    return _reference(f"Where is the {_phrase(source, kind)}?", kind, Group(1, kind), rest)


def _all(source: Source, count: int) -> Reference:
    """All red objects, of which there may be none."""
    kind = _kind(source, 1)
    rest = Group(source.size(count) - count, EVERYTHING, (kind,))
    text = f"Where are all {plural_phrase(source.rng, kind)}?"
    return _reference(text, kind, Group(count, kind), rest)


def _pair(source: Source, count: int) -> Reference:
    """The only red cube, beside another red object and another cube."""
    kind = _kind(source, 2)
    others = [Group(1, {key: value}, (kind,)) for key, value in kind.items()]
    rest = Group(source.size(3) - 3, EVERYTHING, (kind,))
    return _reference(f"Where is the {_phrase(source, kind)}?", kind, Group(1, kind), *others, rest)


def _relation(source: Source, count: int) -> Reference:
    """The only object left of the only red one."""
    kind = _kind(source, 1)
    side = source.rng.choice(tuple(SIDES))
    noun = source.rng.choice(SYNONYMS["object"])
    text = f"Where is the {noun} {side} the {_phrase(source, kind)}?"
    rest = Group(source.size(3) - 1, EVERYTHING, (kind,))
    return _reference(text, kind, Group(1, kind), rest, side=side)


FAMILIES: Mapping[str, tuple[Callable[[Source, int], Reference], tuple[int, ...]]] = {
    "one": (_one, (1,)),
    "all": (_all, tuple(range(MOST_MEANT + 1))),
    "pair": (_pair, (1,)),
    "relation": (_relation, (1,)),
}
"""How each family is drawn, and how many objects it may mean."""


def _reference(text: str, kind: Description, *groups: Group, side: str = "") -> Reference:
    return Reference(Draft(Question(text, kind), groups), kind, side)


def _phrase(source: Source, kind: Description) -> str:
    """A noun phrase for one object, with synonyms drawn at random."""
    words = [kind[key] for key in ATTRIBUTES[:-1] if key in kind]
    words.append(kind.get("shape", "object"))
    return " ".join(source.rng.choice(SYNONYMS.get(word, (word,))) for word in words)
