"""States of TRANCE's world, and changes of them that a plan asks for, drawn at random."""

import random
from collections.abc import Sequence

from reasonrft.oracles.state_changes import (
    ATTRIBUTES,
    GRID,
    STAGE,
    STRIDE,
    Item,
    State,
    Transformation,
    TransformationError,
    apply,
    overlap,
    run,
)
from reasonrft.oracles.state_records import Sample
from reasonrft.trance_calls import VALUES
from reasonrft.worlds.transformation.schedule import Aim

ORDER = ("position", "shape", "size", "color", "material")
"""How answers sort the changes of one object; first position: it may have to enter the stage."""
_TRIES = 50


SIZES = VALUES["change_size"]


def draw_state(
    rng: random.Random, visible: int, hidden: int, clear: float, sizes: Sequence[str] = SIZES
) -> State | None:
    """Objects that nobody can mistake for each other, some on the stage and some off it.

    They keep a share of a cell's side away from the borders of the stage's rows and columns.
    """
    staged = [True] * visible + [False] * hidden
    rng.shuffle(staged)
    state: list[Item] = []
    for on_stage in staged:
        item = _draw_item(rng, state, on_stage, clear, sizes)
        if item is None:
            return None
        state.append(item)
    return tuple(state)


def _draw_item(
    rng: random.Random,
    others: Sequence[Item],
    on_stage: bool,
    clear: float,
    sizes: Sequence[str],
) -> Item | None:
    reach = STAGE if on_stage else GRID
    choices = {name: VALUES[f"change_{name}"] for name in ATTRIBUTES} | {"size": sizes}
    for _ in range(_TRIES):
        values = {name: rng.choice(choices[name]) for name in ATTRIBUTES}
        item = Item(**values, position=(rng.randint(-reach, reach), rng.randint(-reach, reach)))
        if (
            item.visible == on_stage
            and all(_clear(place, clear) for place in item.position)
            and not any(alike(item, other) or overlap(item, other) for other in others)
        ):
            return item
    return None


def _clear(place: int, share: float) -> bool:
    """Whether a coordinate is this share of a cell's side away from the nearest border."""
    return abs((place + STRIDE // 2) % STRIDE - STRIDE // 2) <= (0.5 - share) * STRIDE


def alike(item: Item, other: Item) -> bool:
    """Whether two objects are equal in all but their places."""
    return all(getattr(item, name) == getattr(other, name) for name in ATTRIBUTES)


def draw_sample(rng: random.Random, state: State, aims: Sequence[Aim], full: bool) -> Sample | None:
    """Changes that meet the aims on a state, sorted by object, and where they lead."""
    changes: list[Transformation] = []
    now = state
    for aim in aims:
        choices = [
            (change, after)
            for number in range(len(state))
            if (change := _change(number, aim))
            and (after := _applied(now, change))
            and _admitted(now, after, aim, change, changes, full)
        ]
        if not choices:
            return None
        change, now = rng.choice(choices)
        changes.append(change)
    changes.sort(key=lambda change: (change.item, ORDER.index(change.attribute)))
    return _sample(state, changes)


def _sample(state: State, changes: Sequence[Transformation]) -> Sample | None:
    """The sample, unless sorting made a change illegal or a change left no trace."""
    try:
        final = run(state, changes)
    except TransformationError:
        return None
    traces = all(
        getattr(state[change.item], change.attribute)
        != getattr(final[change.item], change.attribute)
        for change in changes
    )
    return Sample(state, final, tuple(changes)) if traces else None


def _change(number: int, aim: Aim) -> Transformation:
    return Transformation(number, aim.attribute, aim.value, aim.steps)


def _applied(state: State, change: Transformation) -> State | None:
    try:
        return apply(state, change)
    except TransformationError:
        return None


def _admitted(
    state: State,
    after: State,
    aim: Aim,
    change: Transformation,
    earlier: Sequence[Transformation],
    full: bool,
) -> bool:
    """Whether an image can show the change: TVR's rules, or with `full` off those and ours.

    Nothing that was changed may leave the stage, and nothing that left it returns. Ours: nothing
    enters or leaves it, and no attribute changes twice.
    """
    was, is_now = state[change.item].visible, after[change.item].visible
    kind = "inner" if was and is_now else "out" if was else "in"
    touched = {(other.item, other.attribute) for other in earlier}
    if not full:
        return kind == "inner" and (change.item, change.attribute) not in touched
    if kind != "inner" and any(item == change.item for item, _ in touched):
        return False
    return kind == (aim.kind or "inner")
