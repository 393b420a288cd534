"""`score`: judge anybody's completions with any reward, scorer or task."""

import importlib
import json
import math
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from reasonrft.errors import BadInput
from reasonrft.evaluation import OfficialScorer, StrictScorer
from reasonrft.files import Staging
from reasonrft.problems import Problem
from reasonrft.rewards import (
    AccuracyReward,
    CaptionFormatReward,
    FormatReward,
    LengthReward,
    ReasoningStepsReward,
    ReferenceReward,
    Reward,
)
from reasonrft.tasks import Task
from reasonrft.tasks.functions import read_calls
from reasonrft.tasks.tags import first_answer_block

COMPLETION_KEYS = ("completion", "pred", "completions")
SOLUTION_KEYS = ("solution", "answer")

_NAMES: dict[str, tuple[type[Reward], dict[str, Any]]] = {
    "robust": (AccuracyReward, {"profile": "robust"}),
    "scripts": (AccuracyReward, {"profile": "scripts"}),
    "paper": (AccuracyReward, {"profile": "paper"}),
    "strict": (StrictScorer, {}),
    "official": (OfficialScorer, {}),
    "accuracy": (ReferenceReward, {"function": "accuracy"}),
    "math_accuracy": (ReferenceReward, {"function": "math_accuracy"}),
    "trance": (ReferenceReward, {"function": "trance"}),
    "trance_only_full": (ReferenceReward, {"function": "trance_only_full"}),
    "trance_penalty": (ReferenceReward, {"function": "trance_penalty"}),
    "format": (FormatReward, {"profile": "scripts"}),
    "caption_format": (CaptionFormatReward, {"profile": "scripts"}),
    "reason": (ReasoningStepsReward, {}),
    "len": (LengthReward, {"profile": "scripts"}),
    "eval_clevr": (OfficialScorer, {"task": "counting"}),
    "eval_geomath": (OfficialScorer, {"task": "structure"}),
    "eval_geomath_enhance": (OfficialScorer, {"task": "structure", "substring": True}),
    "eval_trance": (OfficialScorer, {"task": "transformation"}),
}


def reward_named(name: str) -> Reward:
    """The reward or scorer that a short name stands for."""
    reward, arguments = _NAMES[name]
    return reward(**arguments)


def class_for(name: str) -> dict[str, Any]:
    """What a name given to `--with` stands for, as class_path and init_args."""
    if name in _NAMES:
        reward, arguments = _NAMES[name]
        return {"class_path": _class_path(reward), "init_args": arguments}
    found = _import(name) if "." in name else None
    if isinstance(found, type) and issubclass(found, Task):
        arguments = {"task": {"class_path": name}}
        return {"class_path": _class_path(AccuracyReward), "init_args": arguments}
    if found is None and name not in {cls.__name__ for cls in _subclasses(Reward)}:
        raise BadInput(
            f"nothing named {name!r} scores: use {', '.join(_NAMES)}, "
            "or the class_path of a Reward or Task"
        )
    return {"class_path": name, "init_args": {}}


def _class_path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _subclasses(cls: type) -> set[type]:
    found: set[type] = {cls}
    for subclass in cls.__subclasses__():  # type: ignore[var-annotated]
        found |= _subclasses(subclass)
    return found


def _import(path: str) -> object:
    module, _, attribute = path.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise BadInput(f"cannot import {path!r}: {error}") from error


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file, or of a JSON list."""
    if not file.is_file():
        raise BadInput(f"no such file: {file}")
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    if text.lstrip().startswith("["):
        rows = _parse(text, str(file))
    else:
        lines = [line for line in text.split("\n") if line.strip()]
        rows = [_parse(line, f"{file}: row {number}") for number, line in enumerate(lines, 1)]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise BadInput(f"{file}: row {number} is not a JSON object")
    if not rows:
        raise BadInput(f"{file} has no rows: it needs one JSON object per line")
    return rows


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where} is not JSON: {error}; it begins {text[:30]!r}") from error


def score_file(
    file: Path, reward: Reward, task: str | None = None, output: Path | None = None
) -> tuple[int, float]:
    """Score every row of a file in order; returns how many there are and their mean."""
    rows = read_rows(file)
    cases = [
        _case(row, f"{file}: row {number}", task, reward.reads_answer)
        for number, row in enumerate(rows, 1)
    ]
    lines, scores = [], []
    progress = tqdm(zip(rows, cases, strict=True), total=len(rows), unit="row", disable=None)
    for number, (row, case) in enumerate(progress, 1):
        found = _score(reward, case, f"{file}: row {number}")
        scores.extend(found)
        score = found if "completions" in row else found[0]
        lines.append(json.dumps({**row, "score": score}) + "\n")
    text = "".join(lines)
    if output:
        with Staging() as staging:
            staging.write(output, text.encode())
    else:
        print(text, end="")
    return len(rows), statistics.fmean(scores)


_Case = tuple[list[str], Problem, int]


def _case(row: Mapping[str, Any], where: str, task: str | None, needs_answer: bool) -> _Case:
    """Completions, problem and training step of a row."""
    key = _first_key(row, COMPLETION_KEYS)
    if key is None:
        raise BadInput(f"{where}: {_lacks(row, COMPLETION_KEYS)}")
    completions = row[key] if key == "completions" else [row[key]]
    if not isinstance(completions, list) or not completions or not _all_text(completions):
        raise BadInput(f"{where}: {key} is not text")
    key = _first_key(row, SOLUTION_KEYS)
    if key is None and needs_answer:
        raise BadInput(f"{where}: {_lacks(row, SOLUTION_KEYS)}")
    solution = row[key] if key else ""
    if not isinstance(solution, str | int | float) or isinstance(solution, bool):
        raise BadInput(f"{where}: {key} is neither text nor a number")
    return completions, _problem(row, str(solution), task), int(row.get("current_step", 0))


def _first_key(row: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((key for key in keys if row.get(key) is not None), None)


def _lacks(row: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return f"no {' or '.join(keys)} among its keys ({', '.join(row) or 'none'})"


def _all_text(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _problem(row: Mapping[str, Any], solution: str, task: str | None) -> Problem:
    block = first_answer_block(solution)
    answer = solution if block is None else block
    options = row.get("options") or row.get("position_options") or ()
    return Problem(
        id=str(row.get("id", "")),
        task=task or row.get("task") or ("transformation" if read_calls(answer) else "general"),
        images=(),
        question=str(row.get("problem") or row.get("question") or ""),
        answer=answer,
        choices=tuple(row.get("choices") or ()),
        meta={**row, "solution": solution, "options": options},
    )


def _score(reward: Reward, case: _Case, where: str) -> list[float]:
    completions, problem, step = case
    (scores,) = reward([completions], [problem], step)
    for score in scores:
        if not isinstance(score, int | float) or not math.isfinite(score):
            raise BadInput(f"{where}: {type(reward).__name__} returned {score!r}, not a number")
    return [float(score) for score in scores]
