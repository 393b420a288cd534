"""Gold answers that are boxes: as lists, as JSON, and as VLM-R1 and Visual-RFT write them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reasonrft.readers.base import RecordFault, short
from reasonrft.readers.fields import read_answer
from reasonrft.tasks.box_answers import (
    BOX_KEYS,
    NOTHING,
    BoxFault,
    boxes_from,
    is_corners,
    parse_boxes,
    write_boxes,
)
from reasonrft.tasks.grounding import THOUSANDTHS

_ASKS_FOR_BOXES = re.compile(r"bounding box|bbox", re.I)
_FORM = re.compile(
    r",? and provide the bounding boxes.*|\s*Output the (?:bbox|bounding|thinking).*", re.I | re.S
)
"""Where VLM-R1's and Visual-RFT's questions begin to say what an answer looks like."""


@dataclass(frozen=True, slots=True)
class GoldBoxes:
    """What a gold answer holds."""

    response: tuple[str, str]
    """Chain of thought, and the boxes in their usual form."""
    units: dict[str, Any]
    """What meta is to hold of their units."""


def read_gold_boxes(value: object, key: str, question: str, known: bool) -> GoldBoxes | None:
    """The boxes that a record holds; None for an answer that is none.

    Args:
        value: What the record holds.
        key: Where it holds it.
        question: What is asked: it decides whether four bare numbers, or "None", are boxes.
        known: Whether the task is known to be grounding.
    """
    if isinstance(value, str):
        thought, text = read_answer(value, key)
        if not (known or _looks_like_boxes(text, question)):
            return None
    elif isinstance(value, list | Mapping):
        thought, text = "", str(value)
        if not (known or is_corners(value) or _looks_like_boxes(text, question)):
            return None
    elif known:
        raise RecordFault(key, f"must be boxes, not {short(value)}")
    else:
        return None
    try:
        boxes = parse_boxes(text) if isinstance(value, str) else boxes_from(value)
    except BoxFault as fault:
        raise RecordFault(key, str(fault)) from None
    # Visual-RFT's boxes are in thousandths, whatever the image's size.
    units = {"frame": list(THOUSANDTHS)} if BOX_KEYS[1] in text else {}
    return GoldBoxes((thought, write_boxes(boxes)), units)


def plain_question(question: str) -> str:
    """A question for boxes without what it says of the form of the answer: the task says that."""
    asked = _FORM.sub("", question).strip()
    if not asked or asked == question:
        return question
    return asked if asked.endswith((".", "?", "!", ":")) else f"{asked}."


def _looks_like_boxes(text: str, question: str) -> bool:
    if any(f"{quote}{key}{quote}" in text for key in BOX_KEYS for quote in "'\""):
        return True
    asks = bool(_ASKS_FOR_BOXES.search(question))
    return asks and (text[:1] in ("[", "{", "`") or text.strip(" .").casefold() in NOTHING)
