"""Problems with every row's answer side by side, errors first."""

import base64
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from PIL.Image import Image

from reasonrft.box_drawing import with_boxes
from reasonrft.evaluation.answers import Line
from reasonrft.images import ImageFault, open_image
from reasonrft.problems import Problem
from reasonrft.report.found_runs import Run, stored_lines
from reasonrft.report.image_places import ImageFinder
from reasonrft.report.measured_answers import question_key
from reasonrft.report.rows import Column, Place, Row
from reasonrft.tasks.tags import END_THINK, THINK

LARGEST = 300
"""Longest side of an image on the page."""
LONGEST = 4_000
"""Characters of a completion that are shown."""
KINDS = ("wrong", "disagree", "agree")


@dataclass(frozen=True)
class ShownAnswer:
    """One row's answer to a problem."""

    row: str
    right: bool
    official: float
    thought: str
    rest: str
    """What stands outside the thought."""
    cut: int
    """Characters that are left out."""


@dataclass(frozen=True)
class ShownProblem:
    """A problem of the gallery."""

    split: str
    id: str
    question: str
    gold: str
    images: Sequence[str]
    """As data: addresses."""
    missing: str
    """Why images are not shown; "" if they are, or if there are none."""
    answers: Sequence[ShownAnswer]
    kind: str
    """Whether the task's leading row is wrong, rows disagree, or all agree."""


def choose(
    rows: Sequence[Row], columns: Iterable[Column], leads: Mapping[str, Row], count: int
) -> list[tuple[Place, str]]:
    """So many questions with their kinds: errors of the row that leads a task first.

    Splits take turns. Within a kind, questions come in the order of their hashes.
    """
    queues = [_ordered(rows, column, leads[column.task]) for column in columns if column.single]
    turns: list[tuple[Place, str]] = []
    for turn in zip_longest(*queues):
        turns += [entry for entry in turn if entry is not None]
    chosen = turns[:count]
    return sorted(chosen, key=lambda entry: KINDS.index(entry[1]))


def _ordered(rows: Sequence[Row], column: Column, lead: Row) -> list[tuple[Place, str]]:
    """A split's questions: two wrong ones, then one that rows disagree on, and so on."""
    kinds: dict[str, list[Place]] = {kind: [] for kind in KINDS}
    answered = [row for row in rows if row.of(column)]
    if not answered:
        return []
    lead = lead if lead in answered else answered[-1]
    for place in sorted(lead.places(column), key=_draw):
        kinds[_kind(answered, lead, column, place)].append(place)
    wrong, disagree, agree = ([(place, kind) for place in kinds[kind]] for kind in KINDS)
    mixed = [
        entry
        for pair in zip_longest(wrong[::2], wrong[1::2], disagree)
        for entry in pair
        if entry is not None
    ]
    return mixed + agree


def _draw(place: Place) -> bytes:
    return hashlib.sha256("\n".join(place).encode()).digest()


def _kind(rows: Sequence[Row], lead: Row, column: Column, place: Place) -> str:
    split, question = place
    rights = {row.name: _right(row.of(column)[0], split, question) for row in rows}
    if rights[lead.name] is False:
        return "wrong"
    return "disagree" if len(set(rights.values()) - {None}) > 1 else "agree"


def _right(run: Run, split: str, question: str) -> bool | None:
    answer = run.answers["own"][split].get(question)
    return None if answer is None else answer.strict >= 1


def show(
    rows: Sequence[Row], columns: Iterable[Column], chosen: Sequence[tuple[Place, str]]
) -> Iterator[ShownProblem]:
    """The chosen problems with their images and answers; of several seeds, the first answers."""
    by_split = {column.splits[0]: column for column in columns if column.single}
    wanted = {place for place, _ in chosen}
    lines: dict[str, dict[Place, Line]] = {}
    finder = ImageFinder()
    for row in rows:
        first = {(run.results or run.folder): run for run in _first_runs(row, by_split.values())}
        lines[row.name] = {}
        for run in first.values():
            for place, line in _lines(run, wanted):
                lines[row.name].setdefault(place, {**line, "run": run})
    for place, kind in chosen:
        told = [(row.title, lines[row.name][place]) for row in rows if place in lines[row.name]]
        if told:
            yield _shown(place[0], told, kind, finder)


def _first_runs(row: Row, columns: Iterable[Column]) -> Iterator[Run]:
    for column in columns:
        yield from row.of(column)[:1]


def _lines(run: Run, wanted: set[Place]) -> Iterator[tuple[Place, Line]]:
    for line in stored_lines(run):
        place = (str(line["split"]), question_key(line))
        if place in wanted:
            yield place, line


def _shown(
    split: str, told: Sequence[tuple[str, Mapping[str, Any]]], kind: str, finder: ImageFinder
) -> ShownProblem:
    line = told[0][1]
    images, missing = _images([line for _, line in told], finder)
    return ShownProblem(
        split,
        str(line.get("id", "")),
        str(line.get("problem", "")),
        str(line.get("answer", line.get("solution", ""))),
        images,
        missing,
        [_answer(title, line) for title, line in told],
        kind,
    )


def _answer(title: str, line: Mapping[str, Any]) -> ShownAnswer:
    text = str(line["completion"])
    thought, rest = split_thought(text[:LONGEST])
    right = float(line["strict"]) >= 1
    return ShownAnswer(
        title, right, float(line["official"]), thought, rest, max(0, len(text) - LONGEST)
    )


def split_thought(text: str) -> tuple[str, str]:
    """What is thought, and what is said after it."""
    before, closed, rest = text.rpartition(END_THINK)
    if closed:
        return before.strip().removeprefix(THINK).strip(), rest.strip()
    said, opened, thought = text.partition(THINK)
    return (thought.strip(), said.strip()) if opened else ("", text.strip())


def _images(lines: Sequence[Mapping[str, Any]], finder: ImageFinder) -> tuple[list[str], str]:
    """The images of the first line whose images are at hand, or why there are none."""
    missing = ""
    completions = [str(line["completion"]) for line in lines]
    for line in lines:
        sources, reason = finder.find(line)
        try:
            if not reason:
                # Lines and letters are drawn in the size in which they are read.
                images = [small_copy(source) for source in sources]
                shown = with_boxes(_problem(line, sources), images, completions)
                return [data_address(image) for image in shown], ""
        except ImageFault as error:
            reason = str(error)
        missing = missing or reason
    return [], missing


def _problem(line: Mapping[str, Any], images: Sequence[Path | bytes]) -> Problem:
    """The question of a line, as far as its boxes can be drawn."""
    return Problem(
        id=str(line.get("id", "")),
        task=str(line.get("task", "")),
        images=tuple(images),
        question=str(line.get("problem", "")),
        answer=str(line.get("answer", "")),
        meta={"frame": line.get("frame")},
    )


def small_copy(source: Path | bytes) -> Image:
    """An image in the size in which the page shows it."""
    image = open_image(source)
    image.thumbnail((LARGEST, LARGEST))
    return image


def data_address(image: Image) -> str:
    """An image that stands within a page."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=82, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
