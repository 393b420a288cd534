"""Reading the single fields of a record: text, id, answer, choices, options, history."""

import math
from collections.abc import Sequence
from typing import Any

from reasonrft.problems import IMAGE_TAG
from reasonrft.readers.base import RecordFault, Row, short
from reasonrft.tasks.tags import (
    ANSWER,
    END_ANSWER,
    END_THINK,
    THINK,
    first_answer_block,
    read_response,
)

MAX_TEXT = 1_000_000
"""Most characters of a field."""


def read_text(value: object, key: str) -> str:
    """Text that is not empty and can be written again."""
    if not isinstance(value, str):
        raise RecordFault(key, f"must be text, not {short(value)}")
    if not value.strip():
        raise RecordFault(key, "is empty")
    return _whole(value.strip(), key)


def read_id(value: object, default: str) -> str:
    """A record's id, or the default where it has none."""
    if value is None or value == "":
        return default
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RecordFault("id", f"must be text or a whole number, not {short(value)}")
    return _whole(_digits(value, "id") if isinstance(value, int) else value, "id")


def read_answer(value: object, key: str) -> tuple[str, str]:
    """Chain of thought and bare answer of a gold answer, with or without tags."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return "", _digits(value, key)
    if isinstance(value, float) and math.isfinite(value):
        return "", repr(value)
    if not isinstance(value, str):
        raise RecordFault(key, f"must be text or a number, not {short(value)}")
    return _split_response(_whole(value, key), key)


def read_cot(value: object) -> str:
    """A chain of thought; a whole completion gives its thought."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RecordFault("cot", f"must be text, not {short(value)}")
    text = _whole(value.strip(), "cot")
    return read_response(text).thought.strip() if THINK in text or END_THINK in text else text


def read_choices(value: object) -> tuple[str, ...]:
    """Texts of the options."""
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise RecordFault("choices", f"must be a list of texts, not {short(value)}")
    return tuple(_choice(choice) for choice in value)


def read_options(value: object, key: str) -> list[list[Any]]:
    """Steps that admit more than one value, as [step, values]."""
    steps = [_option(step, key) for step in _as_list(value, key)]
    return [[step, values] for step, values in steps if len(values) > 1]


def read_history(value: object) -> list[list[str]]:
    """Earlier turns of a conversation, as [user, assistant]."""
    for pair in (turns := _as_list(value, "history")):
        if not isinstance(pair, Sequence) or len(pair) != 2 or isinstance(pair, str | bytes):
            raise RecordFault("history", f"must hold [user, assistant] pairs, not {short(pair)}")
    return [[read_text(text, "history") for text in pair] for pair in turns]


def place_tags(question: str, key: str, images: int, earlier: str = "") -> str:
    """Check image tags against images; drop them where they only lead the question."""
    tags = question.count(IMAGE_TAG) + earlier.count(IMAGE_TAG)
    if tags not in (0, images):
        raise RecordFault(
            key, f"has {_many(tags, f'{IMAGE_TAG} tag')} for {_many(images, 'image')}"
        )
    if IMAGE_TAG in earlier:
        return question
    body = question
    while body.startswith(IMAGE_TAG):
        body = body.removeprefix(IMAGE_TAG).lstrip()
    if not body:
        raise RecordFault(key, "holds no question beside image tags")
    return question if IMAGE_TAG in body else body


def row_key(row: Row, *keys: str) -> str:
    """The first of these keys that a row has."""
    return next((key for key in keys if row.get(key) is not None), keys[0])


def _split_response(text: str, key: str) -> tuple[str, str]:
    if not any(tag in text for tag in (THINK, END_THINK, ANSWER, END_ANSWER)):
        return "", text.strip()
    response = read_response(text)
    if response.answer is not None:
        return response.thought, response.answer
    answer = first_answer_block(text) if text.count(ANSWER) == 1 else None
    if not answer:
        raise RecordFault(key, f"does not hold one <answer>…</answer>: {short(text)}")
    return response.thought, answer


def _option(step: object, key: str) -> tuple[int, list[str]]:
    if isinstance(step, dict):
        step = [step.get("step"), step.get("values")]
    if isinstance(step, Sequence) and len(step) == 2 and not isinstance(step, str | bytes):
        number, values = step
        listed = isinstance(values, list) and all(isinstance(value, str) for value in values)
        if isinstance(number, int) and listed:
            return number, list(dict.fromkeys(values))
    raise RecordFault(key, f"must hold [step, [value, ...]] pairs, not {short(step)}")


def _choice(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise RecordFault("choices", f"must be a list of texts, not of {short(value)}")
    text = _whole(_digits(value, "choices") if not isinstance(value, str) else value, "choices")
    if IMAGE_TAG in text:
        raise RecordFault("choices", f"hold {IMAGE_TAG}, which stands in questions alone")
    return text


def _as_list(value: object, key: str) -> Sequence[Any]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise RecordFault(key, f"must be a list, not {short(value)}")
    return value


def _digits(value: int | float, key: str) -> str:
    try:
        return str(value)
    except ValueError:  # Python refuses to print integers of more than 4300 digits.
        raise RecordFault(key, "is a number of thousands of digits") from None


def _whole(text: str, key: str) -> str:
    if len(text) > MAX_TEXT:
        raise RecordFault(key, f"has {len(text):,} characters; {MAX_TEXT:,} are the most")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RecordFault(key, "holds half a character (a lone surrogate)") from None
    return text


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
