"""What is kept of a transformation problem: facts, states for readers, a fingerprint."""

from collections.abc import Sequence
from typing import Any

from reasonrft.oracles.state_changes import ATTRIBUTES, Item, State, Transformation
from reasonrft.oracles.state_records import Sample, options_of
from reasonrft.problems import Problem
from reasonrft.worlds.base import fingerprint


def scene_mark(state: State) -> int:
    """The fingerprint of what the first image shows, in whatever order it is listed.

    Scenes with one first image are in one split, whatever changes in them.
    """
    return fingerprint("transformation", sorted(_row(item) for item in state if item.visible))


def _row(item: Item) -> tuple[Any, ...]:
    return (*(getattr(item, name) for name in ATTRIBUTES), *item.position)


def facts(sample: Sample) -> dict[str, Any]:
    """What a problem's meta says of its sample; states and transformations as in TVR's files."""
    changes = sample.transformations
    return {
        "level": len(changes),
        "template": f"level-{len(changes)}",
        "visible": sum(item.visible for item in sample.initial),
        **({"options": options} if (options := options_of(sample)) else {}),
        "states": [_state_row(state) for state in (sample.initial, sample.final)],
        "transformations": [_change_row(change) for change in changes],
    }


def _state_row(state: State) -> dict[str, Any]:
    return {
        "objects": [
            {name: getattr(item, name) for name in ATTRIBUTES} | {"position": list(item.position)}
            for item in state
        ]
    }


def _change_row(change: Transformation) -> dict[str, Any]:
    moved = change.attribute == "position"
    value = [change.value, change.steps] if moved else change.value
    return {"obj_idx": change.item, "attr": change.attribute, "val": value}


def tvr_row(problem: Problem, image_files: Sequence[str]) -> dict[str, Any]:
    """A problem's states and images, as TVR's files have them."""
    first, last = problem.meta["states"]
    view = f"Camera_{str(problem.meta['view']).capitalize()}"
    return {
        "idx": problem.id,
        "states": [
            {**first, "images": {"Camera_Center": image_files[0]}},
            {**last, "images": {view: image_files[1]}},
        ],
        "transformations": problem.meta["transformations"],
    }
