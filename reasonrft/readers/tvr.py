"""TVR's states: {idx, states: [{objects, images}, ...], transformations}, a problem per view."""

from collections.abc import Mapping
from pathlib import Path

from reasonrft.oracles.state_records import (
    Sample,
    answer_of,
    options_of,
    question_of,
    read_sample,
)
from reasonrft.problems import Problem
from reasonrft.readers.base import Format, RecordContext, RecordFault, Row, short
from reasonrft.readers.fields import read_id
from reasonrft.readers.make_problem import make_problem
from reasonrft.readers.record_images import locate

VIEWS = {"Camera_Center": "id", "Camera_Left": "ood-left", "Camera_Right": "ood-right"}
"""Final views and the splits that they make."""

_FOLDERS = ("", "images", "image")


def read(row: Row, context: RecordContext) -> list[Problem]:
    """Read a sample: its first state seen from the centre, its last from each side there is."""
    try:
        sample = read_sample(row)
    except ValueError as error:
        raise RecordFault("states", str(error)) from None
    first, last = _views(row, 0), _views(row, -1)
    if "Camera_Center" not in first:
        raise RecordFault("states", "the first state has no image from Camera_Center")
    views = [view for view in VIEWS if view in last]
    if not views:
        raise RecordFault("states", f"the last state has no image from {', '.join(VIEWS)}")
    number = read_id(row.get("idx"), context.id)
    start = locate(first["Camera_Center"], "states", context.root, _FOLDERS)
    ends = {view: locate(last[view], "states", context.root, _FOLDERS) for view in views}
    return [_problem(sample, number, view, (start, ends[view]), context) for view in views]


def _problem(
    sample: Sample, number: str, view: str, images: tuple[Path, Path], context: RecordContext
) -> Problem:
    split = VIEWS[view]
    meta = {
        "level": len(sample.transformations),
        "split": split,
        "view": view.removeprefix("Camera_").lower(),
    }
    options = options_of(sample)
    return make_problem(
        {"id": f"tvr_{split}_{number.zfill(6)}"},
        context,
        ("states", question_of(sample.initial)),
        ("transformations", answer_of(sample.transformations)),
        meta=meta | ({"options": options} if options else {}),
        images=images,
        task="transformation",
    )


def _views(row: Row, at: int) -> Mapping[str, object]:
    images = row["states"][at].get("images")
    if not isinstance(images, Mapping):
        raise RecordFault("states", f"a state's images must name views, not {short(images)}")
    return images


FORMAT = Format("tvr", (("states",), ("transformations",)), ("idx",), read)
