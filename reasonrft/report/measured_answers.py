"""The measured answers of a run, by mode, split and question; whichever prompt asked it."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reasonrft.errors import BadInput
from reasonrft.evaluation.answers import Line
from reasonrft.evaluation.image_modes import ALTERED, ImageMode
from reasonrft.evaluation.results import AnswerAccuracy, accuracy_of
from reasonrft.problems import IMAGE_TAG

MODES: tuple[ImageMode, ...] = ("own", *ALTERED)
Answered = Mapping[str, Mapping[str, AnswerAccuracy]]
"""By split ("counting/id"), then by question."""
_NEEDED = {"split", "completion", "official", "strict"}


def question_key(line: Mapping[str, Any], split: str | None = None) -> str:
    """A hash of a question that does not depend on how it was asked.

    The key of an answer's line does: ANS-SFT asks in other words than CoT-SFT.
    """
    question = str(line.get("problem", "")).replace(IMAGE_TAG, "").strip()
    gold = line.get("solution", line.get("answer", ""))
    named = [line.get("split", "") if split is None else split, line.get("id", ""), question, gold]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()[:24]


def answer_files(folder: Path, mode: ImageMode = "own") -> list[Path]:
    """The files of all ranks that hold a mode's answers."""
    name = "answers" if mode == "own" else f"answers.{mode}"
    files = [folder / f"{name}.jsonl", *sorted(folder.glob(f"{name}.rank*.jsonl"))]
    return [file for file in files if file.is_file()]


def read_lines(file: Path) -> Iterator[Line]:
    """The lines of a file of answers; what an evaluation is just writing is left out."""
    with file.open("rb") as lines:
        for number, text in enumerate(lines, 1):
            if not text.endswith(b"\n"):
                return
            try:
                line = json.loads(text)
            except ValueError:
                line = None
            if not isinstance(line, dict) or not _is_measured(line):
                raise BadInput(
                    f"{file}, line {number} is not a measured answer, which has "
                    f"{', '.join(sorted(_NEEDED))}: test writes such files"
                )
            yield line


def _is_measured(line: Line) -> bool:
    figures = (line.get("official"), line.get("strict"))
    return line.keys() >= _NEEDED and all(isinstance(figure, int | float) for figure in figures)


def read_answers(folder: Path) -> dict[ImageMode, Answered]:
    """All modes' answers that a folder of `test` holds; each question counts once."""
    modes: dict[ImageMode, Answered] = {}
    for mode in MODES:
        splits: dict[str, dict[str, AnswerAccuracy]] = {}
        for file in answer_files(folder, mode):
            for line in read_lines(file):
                splits.setdefault(str(line["split"]), {})[question_key(line)] = measured(line, mode)
        if splits:
            modes[mode] = splits
    return modes


def measured(line: Line, mode: ImageMode = "own") -> AnswerAccuracy:
    """A line's figures without its texts: a study has hundreds of thousands of them."""
    tokens = line.get("tokens")
    number = tokens if isinstance(tokens, int) else 0
    return accuracy_of({"key": "", "truncated": False, **line, "tokens": number}, mode)
