"""Answers, and the file that keeps them as they come."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reasonrft.errors import BadInput
from reasonrft.evaluation.image_modes import ImageMode, image_digests
from reasonrft.problems import Problem

_OF_META = ("template", "level", "view")
GROUPS = (*_OF_META, "source")
"""By which accuracies are told apart: keys of meta, and which of several sources it is of."""

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answers:
    """What was answered to the prompts of a batch, in their order."""

    texts: list[str]
    tokens: list[int]
    """Lengths, the end of the turn included."""
    truncated: list[bool]
    """Whether an answer was cut off at the limit of tokens."""


def prompt_key(
    split: str, problem: Problem, text: str, max_tokens: int, mode: ImageMode = "own"
) -> str:
    """A hash of a question and of all that is asked with it."""
    asked = [split, problem.id, text, max_tokens, *([] if mode == "own" else [mode])]
    digest = hashlib.sha256(json.dumps(asked).encode())
    for image in image_digests(problem):
        digest.update(image)
    return digest.hexdigest()[:32]


def describe(split: str, problem: Problem) -> Line:
    """What a line holds of its question, under the names that `score` reads."""
    images = [str(image) for image in problem.images if isinstance(image, Path)]
    line = {
        "id": problem.id,
        "task": problem.task,
        "split": split,
        "image": images[0] if len(images) == 1 else images,
        "problem": problem.question,
        "solution": problem.solution,
        "answer": problem.answer,
        "choices": list(problem.choices),
        "options": problem.meta.get("options"),
        "frame": problem.meta.get("frame"),
        **{name: problem.meta.get(name) for name in _OF_META},
        "source": problem.source or None,
    }
    return {name: value for name, value in line.items() if value not in (None, [])}


def write_lines(
    split: str, problems: Sequence[Problem], keys: Sequence[str], answers: Answers
) -> list[Line]:
    """One line for each answer: its prompt's key, its question, and itself."""
    given = zip(answers.texts, answers.tokens, answers.truncated, strict=True)
    return [
        {
            "key": key,
            **describe(split, problem),
            "completion": text,
            "tokens": int(tokens),
            "truncated": bool(truncated),
        }
        for key, problem, (text, tokens, truncated) in zip(keys, problems, given, strict=True)
    ]


class AnswerFile:
    """One JSON line for each answer, written as it comes; what it holds need not be asked again.

    Each rank writes a file of its own and reads those of all, also of an earlier run that had
    more ranks.
    """

    def __init__(self, folder: Path, name: str, policy: str, rank: int = 0) -> None:
        self.path = folder / (f"{name}.rank{rank}.jsonl" if rank else f"{name}.jsonl")
        self.name, self.policy = name, policy
        folder.mkdir(parents=True, exist_ok=True)
        _drop_half_line(self.path)
        self.known = self.read_all()

    def read_all(self) -> dict[str, Line]:
        """The answers of all ranks, by the keys of their prompts."""
        folder = self.path.parent
        paths = [folder / f"{self.name}.jsonl", *folder.glob(f"{self.name}.rank*.jsonl")]
        answers: dict[str, Line] = {}
        for path in paths:
            answers |= self._read(path) if path.exists() else {}
        return answers

    def _read(self, path: Path) -> dict[str, Line]:
        # What follows the last line break is half a line: another rank's, which is writing it.
        lines = path.read_bytes().split(b"\n")[:-1]
        answers = [_parse(line, path, number) for number, line in enumerate(lines, 1)]
        if strange := [line["policy"] for line in answers if line["policy"] != self.policy]:
            raise BadInput(
                f"{path} holds answers of {strange[0]}, not of {self.policy}: "
                "choose another folder for the results, or delete the file"
            )
        return {line["key"]: line for line in answers}

    def add(self, lines: Sequence[Line]) -> None:
        """Append the answers that are new."""
        new = [{"policy": self.policy, **line} for line in lines if line["key"] not in self.known]
        with self.path.open("ab") as file:
            file.write("".join(json.dumps(line) + "\n" for line in new).encode())
        self.known |= {line["key"]: line for line in new}


def _drop_half_line(path: Path) -> None:
    """Cut off what an evaluation was writing when it was killed."""
    if path.exists() and not (content := path.read_bytes()).endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)


def _parse(text: bytes, path: Path, number: int) -> Line:
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    if not isinstance(line, dict) or not {"key", "policy", "completion"} <= line.keys():
        raise BadInput(
            f"{path}, line {number} is not an answer: delete the line to have it asked again"
        )
    return line
