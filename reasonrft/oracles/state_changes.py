"""TVR's world (TRANCE): objects on a grid, atomic transformations, and what they lead to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from reasonrft.trance_calls import VALUES, Call

RADII = {"large": 0.9, "medium": 0.6, "small": 0.3}
GRID, STAGE, STRIDE = 40, 20, 10
"""Positions are within ±GRID, visible within ±STAGE; a step is STRIDE long."""
UNIT, GAP = 0.15, 0.15
"""Size of a grid cell and least distance between two objects, in the units of the radii."""

# As seen from the centre camera, front is away from the viewer.
_AXES = {"front": (-1, 0), "behind": (1, 0), "left": (0, -1), "right": (0, 1)}
DIRECTIONS = {
    name: tuple(map(sum, zip(*(_AXES[part] for part in name.split("_")), strict=True)))
    for name in VALUES["change_position"]
}
ATTRIBUTES = ("color", "material", "shape", "size")


class TransformationError(ValueError):
    """A transformation that this world does not admit."""


@dataclass(frozen=True, slots=True)
class Item:
    """One object; its id is its place in the state."""

    color: str
    material: str
    shape: str
    size: str
    position: tuple[int, int]

    @property
    def visible(self) -> bool:
        return max(map(abs, self.position)) <= STAGE


State = tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Transformation:
    """Give one attribute of one object a value; a position's value is a direction and steps."""

    item: int
    attribute: str
    value: str
    steps: int = 0

    def call(self) -> Call:
        """The transformation as answers write it, without its number of steps."""
        return Call(f"change_{self.attribute}", str(self.item), self.value)


def apply(state: State, change: Transformation) -> State:
    """The state after one transformation, or `TransformationError`."""
    before, after = _item(state, change), transform(state, change)[change.item]
    if after == before:
        raise TransformationError(
            f"{change.call()}: object {change.item} is {change.value} already"
        )
    if not before.visible and not after.visible:
        raise TransformationError(
            f"{change.call()}: object {change.item} is off stage before and after"
        )
    if max(map(abs, after.position)) > GRID:
        raise TransformationError(f"{change.call()}: object {change.item} leaves the grid")
    for other, item in enumerate(state if change.attribute in ("position", "size") else ()):
        if other != change.item and overlap(after, item):
            raise TransformationError(f"{change.call()}: objects {change.item} and {other} overlap")
    return transform(state, change)


def run(state: State, changes: Sequence[Transformation]) -> State:
    """The state after all transformations, or `TransformationError`."""
    for change in changes:
        state = apply(state, change)
    return state


def differences(state: State, target: State) -> list[tuple[int, str]]:
    """Attributes that are not as they should be; off stage all places are alike."""
    wrong = []
    for number, (item, wanted) in enumerate(zip(state, target, strict=True)):
        names = [name for name in ATTRIBUTES if getattr(item, name) != getattr(wanted, name)]
        hidden = not item.visible and not wanted.visible
        names += ["position"] if item.position != wanted.position and not hidden else []
        wrong += [(number, name) for name in names]
    return wrong


def admissible(state: State, change: Transformation) -> list[Transformation]:
    """All transformations that no image tells from this one, itself among them.

    A move off stage may go any way that leads off stage, as TVR's own options have it: overlaps do
    not count, because nobody sees them. A move onto the stage may come from anywhere off stage.
    """
    before = _item(state, change)
    if change.attribute != "position":
        return [change]
    after = transform(state, change)[change.item]
    moves = [replace(change, value=way, steps=steps) for way, steps in product(DIRECTIONS, (1, 2))]
    if before.visible and not after.visible:
        return [move for move in moves if _off_stage(shifted(before.position, move))]
    if after.visible and not before.visible:
        return [move for move in moves if _off_stage(shifted(after.position, move, -1))]
    return [change]


def transform(state: State, change: Transformation) -> State:
    """The state after one transformation, legal or not."""
    item = _item(state, change)
    if change.attribute == "position":
        item = replace(item, position=shifted(item.position, change))
    else:
        values = {name: getattr(item, name) for name in ATTRIBUTES}
        item = Item(**values | {change.attribute: change.value}, position=item.position)
    return (*state[: change.item], item, *state[change.item + 1 :])


def shifted(position: tuple[int, int], move: Transformation, sign: int = 1) -> tuple[int, int]:
    """A place some steps away, or with sign -1 the place that those steps come from."""
    (x, y), (dx, dy) = position, DIRECTIONS[move.value]
    length = sign * STRIDE * move.steps
    return x + dx * length, y + dy * length


def overlap(one: Item, other: Item) -> bool:
    """Whether two objects are nearer to each other than the world allows."""
    distance = UNIT * math.dist(one.position, other.position)
    # Not exactly less: 0.9 + 0.15 and 0.15 * 7 are the same length, but not as floats.
    return distance < RADII[one.size] + RADII[other.size] + GAP - 1e-9


def _item(state: State, change: Transformation) -> Item:
    if not 0 <= change.item < len(state):
        raise TransformationError(f"{change.call()}: there is no object {change.item}")
    return state[change.item]


def _off_stage(position: tuple[int, int]) -> bool:
    return STAGE < max(map(abs, position)) <= GRID
