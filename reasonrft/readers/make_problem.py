"""From the fields of a record to a Problem: what all formats do alike."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reasonrft.oracles.count_questions import parse_question
from reasonrft.problems import Problem
from reasonrft.readers.base import RecordContext, RecordFault, Row, short
from reasonrft.readers.fields import (
    place_tags,
    read_answer,
    read_choices,
    read_cot,
    read_history,
    read_id,
    read_options,
    read_text,
)
from reasonrft.readers.gold_boxes import GoldBoxes, plain_question, read_gold_boxes
from reasonrft.readers.record_images import row_images
from reasonrft.tasks import TASKS, GroundingTask, find_task
from reasonrft.tasks.choices import choices_in
from reasonrft.trance_calls import read_calls

KNOWN = ("id", "image", "images", "cot", "choices", "task")
"""Keys that mean the same in every format."""

LETTERS = "ABCDEFGH"
"""What choices are called."""

ImageSources = tuple[Path | bytes, ...]


def make_problem(
    row: Row,
    context: RecordContext,
    question: tuple[str, object],
    gold: tuple[str, object],
    *,
    used: Iterable[str] = (),
    meta: Mapping[str, Any] | None = None,
    images: ImageSources | None = None,
    task: str | None = None,
) -> Problem:
    """Check and join what a format found; `question` and `gold` come with their keys."""
    sources, image_key = (images, "image") if images is not None else row_images(row, context.root)
    spent = {"id", "cot", "choices", image_key, *used}
    extra = {key: value for key, value in row.items() if key not in spent} | dict(meta or {})
    if extra.get("history") is not None:
        extra["history"] = read_history(extra["history"])
    earlier = "\n".join(text for turn in extra.get("history") or () for text in turn)
    asked = read_text(question[1], question[0])
    named = _named_task(extra, asked=context.task is not None)
    boxes = _boxes(gold, asked, context.task or named)
    if boxes is not None:
        asked, task, extra = plain_question(asked), "grounding", boxes.units | extra
    text = place_tags(asked, question[0], len(sources), earlier)
    thought, answer = boxes.response if boxes is not None else read_answer(gold[1], gold[0])
    choices = read_choices(row.get("choices"))
    text = _with_choices(text, choices)
    name = read_id(row.get("id"), context.id)
    task = context.task or named or task or _task_of(name, text, answer, choices)
    if task == "transformation":
        extra = _with_options(extra)
    cot = read_cot(row.get("cot")) or thought
    return Problem(name, task, sources, text, answer, choices, cot, extra)


def _boxes(gold: tuple[str, object], question: str, task: str | None) -> GoldBoxes | None:
    """A gold answer that is boxes, unless the task is known to be another."""
    known = task is not None and isinstance(find_task(task), GroundingTask)
    return read_gold_boxes(gold[1], gold[0], question, known) if known or task is None else None


def _with_choices(question: str, choices: tuple[str, ...]) -> str:
    """A question that lists its choices, which the model would not see otherwise."""
    if not choices or len(choices) > len(LETTERS) or choices_in(question):
        return question
    listed = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False)]
    return "\n".join([question, "Choices:", *listed])


def _named_task(extra: dict[str, Any], asked: bool) -> str | None:
    """A built-in task that the record names itself; a word of another vocabulary stays in meta."""
    task = extra.get("task")
    if isinstance(task, Mapping) and not asked:
        raise RecordFault("task", f"must be the name of a built-in task, not {short(task)}")
    if not isinstance(task, str):
        return None
    if task in [known.name for known in TASKS]:
        del extra["task"]
        return task
    if not asked and re.fullmatch(r"\w+(\.\w+)+", task):
        # Records are data: only the caller may have a class imported.
        raise RecordFault("task", f"{short(task)} is not built in; name your own class with --task")
    return None


def _task_of(name: str, question: str, answer: str, choices: tuple[str, ...]) -> str:
    if read_calls(answer) is not None:
        return "transformation"
    name = name.lower()
    if "clevr" in name or (answer.isdecimal() and parse_question(question) is not None):
        return "counting"
    if any(word in name for word in ("geomath", "geometry", "geoqa")):
        return "structure"
    return "structure" if choices or choices_in(question) else "general"


def _with_options(extra: dict[str, Any]) -> dict[str, Any]:
    """TRANCE's admissible values of ambiguous steps, under one name and in one form."""
    for key in ("options", "position_options"):
        if extra.get(key) is not None:
            options = read_options(extra.pop(key), key)
            return extra | ({"options": options} if options else {})
    return extra
