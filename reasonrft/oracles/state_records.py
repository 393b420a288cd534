"""TVR's samples: two states, what leads from one to the other, and how that is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reasonrft.oracles.state_changes import (
    ATTRIBUTES,
    GRID,
    Item,
    State,
    Transformation,
    admissible,
    transform,
)
from reasonrft.trance_calls import VALUES


@dataclass(frozen=True, slots=True)
class Sample:
    """Two states and what leads from one to the other."""

    initial: State
    final: State
    transformations: tuple[Transformation, ...]


def answer_of(changes: Sequence[Transformation]) -> str:
    """Transformations as an answer: "change_color(2, cyan), change_position(2, behind)"."""
    return ", ".join(str(change.call()) for change in changes)


def question_of(state: State) -> str:
    """The question about a state: all its objects, without their places."""
    items = [
        (str(number), item.shape, item.size, item.color, item.material)
        for number, item in enumerate(state)
    ]
    return f"The attributes of the initial objects are: {items}."


def options_of(sample: Sample) -> list[list[Any]]:
    """[step, values] for every step that the images leave ambiguous."""
    state, options = sample.initial, []
    for step, change in enumerate(sample.transformations):
        values = list(dict.fromkeys(way.value for way in admissible(state, change)))
        options += [[step, values]] if len(values) > 1 else []
        state = transform(state, change)
    return options


def read_sample(row: Mapping[str, Any]) -> Sample:
    """A sample from TVR's JSON, or ValueError."""
    states, changes = row.get("states"), row.get("transformations")
    if not isinstance(states, list) or len(states) < 2 or not isinstance(changes, list):
        raise ValueError("a sample needs a list of two states and a list of transformations")
    if not changes:
        raise ValueError("a sample needs a transformation at least")
    first, last = _read_state(states[0]), _read_state(states[-1])
    if len(first) != len(last):
        raise ValueError(f"the states have {len(first)} and {len(last)} objects")
    return Sample(first, last, tuple(_read_change(change, len(first)) for change in changes))


def _read_state(state: object) -> State:
    objects = state.get("objects") if isinstance(state, Mapping) else None
    if not isinstance(objects, list):
        raise ValueError("a state needs a list of objects")
    return tuple(_read_item(item, number) for number, item in enumerate(objects))


def _read_item(item: object, number: int) -> Item:
    if not isinstance(item, Mapping):
        raise ValueError(f"object {number} must have {', '.join(ATTRIBUTES)} and position")
    for name in ATTRIBUTES:
        if item.get(name) not in VALUES[f"change_{name}"]:
            raise ValueError(
                f"object {number} has no {name} of {', '.join(VALUES[f'change_{name}'])}"
            )
    position = item.get("position")
    if not isinstance(position, list) or len(position) != 2 or not all(map(_on_grid, position)):
        raise ValueError(f"object {number} needs a position of two whole numbers within ±{GRID}")
    x, y = position
    return Item(**{name: str(item[name]) for name in ATTRIBUTES}, position=(x, y))


def _read_change(change: object, count: int) -> Transformation:
    if not isinstance(change, Mapping):
        raise ValueError("a transformation must have obj_idx, attr and val")
    item, attribute, value = change.get("obj_idx"), change.get("attr"), change.get("val")
    if not isinstance(item, int) or isinstance(item, bool) or not 0 <= item < count:
        raise ValueError(f"a transformation's obj_idx must be one of the {count} objects")
    steps = 0
    if attribute == "position":
        if not isinstance(value, list) or len(value) != 2 or value[1] not in (1, 2):
            raise ValueError("a position's val must be [direction, 1 or 2]")
        value, steps = str(value[0]).replace("-", "_"), int(value[1])
    known = VALUES.get(f"change_{attribute}", ())
    if value not in known:
        raise ValueError(f"a transformation's attr and val must be among {_known()}")
    return Transformation(item, str(attribute), str(value), steps)


def _known() -> str:
    return "; ".join(
        f"{name.removeprefix('change_')}: {', '.join(VALUES[name])}" for name in VALUES
    )


def _on_grid(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= GRID
