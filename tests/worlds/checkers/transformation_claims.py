"""What a chain of thought about a transformation claims, read from its text alone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from reasonrft.trance_calls import Call, read_calls

Place = tuple[int, int]
Move = tuple[str, int | None]
NAME = r"(?P<size>\w+) (?P<color>\w+) (?P<material>\w+) (?P<shape>\w+)"
CALLS = r"change_\w+\(.*\)"


class Unreadable(ValueError):
    """Text that no chain has where it stands."""


@dataclass(slots=True)
class Claims:
    """What a chain says of one object; None where it says nothing."""

    number: int
    before: dict[str, str]
    place: Place | None
    after: dict[str, str] | None
    new_place: Place | None
    values: dict[str, list[str]] | None = None
    """What each attribute became, one after another."""
    shift: Place | None = None
    ends: tuple[Place, Place] | None = None
    """The two places, where the shift says again what it was computed from."""
    verb: str | None = None
    """stayed, moved, left or entered."""
    ways: list[str] = field(default_factory=list)
    """Which ways would have led onto the stage or off it."""
    moves: list[Move] = field(default_factory=list)
    """Each with its steps, if they can be seen."""
    added: list[Call] = field(default_factory=list)
    total: int = -1
    listed: list[Call] | None = None


def match(text: str, *patterns: str) -> dict[str, str] | None:
    """The named groups of the first pattern that the whole text fits."""
    for pattern in patterns:
        if found := re.fullmatch(pattern, text):
            return {name: value for name, value in found.groupdict().items() if value is not None}
    return None


def need(text: str, *patterns: str) -> dict[str, str]:
    """The named groups, or `Unreadable`."""
    found = match(text, *patterns)
    if found is None:
        raise Unreadable(f"no chain says {text!r} there")
    return found


def name_in(found: dict[str, str]) -> dict[str, str] | None:
    """The attributes among named groups."""
    names = ("size", "color", "material", "shape")
    return {name: found[name] for name in names} if "size" in found else None


def place_in(found: dict[str, str]) -> Place | None:
    """Row and column among named groups."""
    return (int(found["row"]), int(found["column"])) if "row" in found else None


def calls_in(text: str) -> list[Call]:
    """All the calls of a list, or `Unreadable`."""
    calls = read_calls(text)
    if calls is None or ", ".join(map(str, calls)) != text:
        raise Unreadable(f"no list of calls: {text!r}")
    return calls


def moves_in(text: str, pattern: str) -> Iterator[Move]:
    """Directions and steps, as a pattern with these two groups finds them."""
    for way, steps in re.findall(pattern, text):
        yield way, int(steps)
