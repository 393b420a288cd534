import json
import random
from collections.abc import Iterator
from itertools import product

from reasonrft.oracles.state_changes import (
    ATTRIBUTES,
    Item,
    State,
    Transformation,
    transform,
)
from reasonrft.oracles.state_records import read_sample
from reasonrft.trance_calls import VALUES
from reasonrft.worlds.transformation.rivals import has_rival


def item(x: int, y: int, color: str = "red", shape: str = "cube") -> Item:
    return Item(color, "rubber", shape, "small", (x, y))


def test_exchanged_colours_may_be_exchanged_places():
    initial = item(0, 0), item(10, 0, "blue")
    final = item(0, 0, "blue"), item(10, 0)
    assert has_rival(initial, final, 2)
    # 11 is no multiple of a step: neither can be where the other was
    assert not has_rival((item(0, 0), item(11, 0, "blue")), (item(0, 0, "blue"), item(11, 0)), 2)


def test_a_move_may_be_a_change_of_two():
    # 0 moved away and 1 became like it; or 0 stayed, and 1 moved there: one call instead of two
    initial = item(0, 0), item(-10, 0, "blue")
    final = item(10, 0, "blue"), item(0, 0, "red")
    assert has_rival(initial, final, 4)
    assert not has_rival(initial, (item(10, 0), item(-10, 0, "blue")), 1)


def test_a_single_object_has_no_rival():
    assert not has_rival((item(0, 0),), (item(20, -20, "blue", "sphere"),), 3)


def test_real_samples_without_crossings_are_clear(real):
    for row in json.loads((real / "trance" / "states.json").read_text()):
        sample = read_sample(row)
        shown = [
            (before, after)
            for before, after in zip(sample.initial, sample.final, strict=True)
            if before.visible and after.visible
        ]
        changed = {(change.item, change.attribute) for change in sample.transformations}
        if len(shown) == sum(one.visible for one in (*sample.initial, *sample.final)) / 2:
            before, after = (tuple(state) for state in zip(*shown, strict=True))
            assert not has_rival(before, after, len(changed))


def test_rivals_are_those_that_trying_everything_finds():
    rng = random.Random(0)
    rivals = 0
    for _ in range(60):
        initial, final, level = _random_sample(rng)
        if initial[0].position == initial[1].position or final[0].position == final[1].position:
            continue
        found = _other_outcomes(initial, final, level)
        assert has_rival(initial, final, level) == found
        rivals += found
    assert rivals > 3


def _random_sample(rng: random.Random) -> tuple[State, State, int]:
    """Two objects near to each other and much alike, and one or two changes."""
    initial = final = tuple(_random_item(rng) for _ in range(2))
    level = rng.choice((1, 2, 2, 2))
    told: set[tuple[int, str]] = set()
    while len(told) < level:
        number, name = rng.randrange(2), rng.choice(("position", "color", "color"))
        value = rng.choice(("front", "behind") if name == "position" else ("red", "blue"))
        change = Transformation(number, name, value, int(name == "position"))
        if (change.item, change.attribute) not in told and transform(final, change) != final:
            told.add((change.item, change.attribute))
            final = transform(final, change)
    return initial, final, level


def _random_item(rng: random.Random) -> Item:
    return item(10 * rng.randint(-1, 1), 10 * rng.randint(0, 1), rng.choice(("red", "blue")))


def _all_changes(state: State) -> Iterator[Transformation]:
    for number, name in product(range(len(state)), (*ATTRIBUTES, "position")):
        if name == "position":
            for way, steps in product(VALUES["change_position"], (1, 2)):
                yield Transformation(number, name, way, steps)
        else:
            for value in VALUES[f"change_{name}"]:
                yield Transformation(number, name, value)


def _other_outcomes(initial: State, final: State, level: int) -> bool:
    """Whether so many calls also reach the state where two objects are taken for each other."""
    exchanged = final[::-1]
    states = {initial}
    for _ in range(level):
        states |= {transform(state, change) for state in states for change in _all_changes(state)}
    return exchanged != final and exchanged in states
