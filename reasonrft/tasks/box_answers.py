"""Boxes as models and data sets write them: read from text, and written as Qwen's models do."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reasonrft.tasks.box_maths import Corners

MAX_LENGTH, MAX_BOXES, MAX_COORDINATE = 30_000, 300, 100_000
"""Characters and boxes of an answer, and the largest coordinate, beyond which none is read."""
BOX_KEYS = ("bbox_2d", "Position")
"""Qwen's name, and Visual-RFT's."""
NOTHING = ("none", "no objects", "no object")
"""What VLM-R1 and Visual-RFT say where nothing is to be found."""

_FENCE = re.compile(r"```(?:json)?\s*(.*?)\s*(?:```|$)", re.I | re.S)


@dataclass(frozen=True, slots=True)
class Box:
    """A box with what is said of it."""

    corners: Corners
    label: str = ""
    confidence: float = 1.0

    def scaled(self, across: float, down: float) -> "Box":
        """The same box in other units, in whole numbers and at least one wide and high."""
        x1, y1, x2, y2 = self.corners
        left, top = round(x1 * across), round(y1 * down)
        right, bottom = max(round(x2 * across), left + 1), max(round(y2 * down), top + 1)
        return Box((left, top, right, bottom), self.label, self.confidence)


Boxes = tuple[Box, ...]


class BoxFault(ValueError):
    """What is wrong with a text that should hold boxes, in one clause."""


def read_boxes(text: str) -> Boxes | None:
    """The boxes of an answer without tags; None if any of it cannot be read."""
    try:
        return parse_boxes(text)
    except BoxFault:
        return None


def parse_boxes(text: str) -> Boxes:
    """A list of boxes, one box alone, or none; fenced or not. Raises `BoxFault`."""
    text = text.strip()
    if len(text) > MAX_LENGTH:
        raise BoxFault(f"has {len(text):,} characters; boxes take {MAX_LENGTH:,} at most")
    if fenced := _FENCE.fullmatch(text):
        text = fenced[1]
    if text.strip(" .'\"").casefold() in NOTHING:
        return ()
    return boxes_from(_parsed(text))


def boxes_from(content: Any) -> Boxes:
    """The same, of what has been parsed already."""
    if isinstance(content, Mapping) or _are_numbers(content):
        content = [content]
    if not isinstance(content, Sequence) or isinstance(content, str | bytes):
        raise BoxFault('is no list of boxes like [{"bbox_2d": [x1, y1, x2, y2], "label": "..."}]')
    if len(content) > MAX_BOXES:
        raise BoxFault(f"has {len(content):,} boxes; {MAX_BOXES} are the most")
    return tuple(_box(item, number) for number, item in enumerate(content, 1))


def write_boxes(boxes: Iterable[Box]) -> str:
    """Boxes as Qwen's models write them."""
    return json.dumps(
        [
            {"bbox_2d": list(box.corners)} | ({"label": box.label} if box.label else {})
            for box in boxes
        ],
        ensure_ascii=False,
    )


def _parsed(text: str) -> Any:
    # Visual-RFT's answers are Python's lists; ast would take long for hostile ones.
    for spelling in (text, text.replace("'", '"')):
        try:
            return json.loads(spelling, parse_constant=_refuse)
        except BoxFault:
            raise
        except (ValueError, RecursionError) as error:
            reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        if '"' in text:
            break
    raise BoxFault(f"is no JSON list of boxes ({reason})")


def _refuse(name: str) -> None:
    raise BoxFault(f"holds {name}, which is no coordinate")


def is_corners(content: Any) -> bool:
    """Whether these are four numbers."""
    return _are_numbers(content) and len(content) == 4


def _are_numbers(content: Any) -> bool:
    return isinstance(content, list | tuple) and bool(content) and all(map(_is_number, content))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _box(item: Any, number: int) -> Box:
    label, confidence = "", 1.0
    corners = item
    if isinstance(item, Mapping):
        key = next((key for key in BOX_KEYS if key in item), None)
        if key is None:
            raise BoxFault(f"box {number} has no bbox_2d, only {_names(item)}")
        corners = item[key]
        label = item.get("label", "")
        confidence = item.get("Confidence", item.get("confidence", 1.0))
    if not isinstance(label, str):
        raise BoxFault(f"the label of box {number} must be text")
    if not _is_number(confidence) or not 0 <= confidence <= 1:
        raise BoxFault(f"the confidence of box {number} must be a number from 0 to 1")
    return Box(_corners(corners, number), " ".join(label.split()), float(confidence))


def _names(item: Mapping[Any, Any]) -> str:
    return ", ".join(str(key)[:20] for key in list(item)[:5]) or "no key"


def _corners(value: Any, number: int) -> Corners:
    shown = f"box {number}, {str(value)[:60]},"
    if not isinstance(value, Sequence) or len(value) != 4 or not all(map(_is_number, value)):
        raise BoxFault(f"{shown} must be four numbers: x1, y1, x2, y2")
    if not all(0 <= x <= MAX_COORDINATE and math.isfinite(x) for x in value):
        raise BoxFault(f"{shown} must hold numbers from 0 to {MAX_COORDINATE:,}")
    x1, y1, x2, y2 = value
    if not (x1 < x2 and y1 < y2):
        raise BoxFault(f"{shown} must have its left before its right and its top above its bottom")
    return x1, y1, x2, y2
