"""The `score` command: anybody's completions, with any reward, measure or task."""

import importlib
import json
import math
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from reasonrft.errors import BadInput
from reasonrft.evaluation import OfficialAccuracy, StrictAccuracy
from reasonrft.files import Staging
from reasonrft.problems import Problem
from reasonrft.rewards import (
    AccuracyReward,
    CaptionFormatReward,
    ClassificationReward,
    Completion,
    DetectionReward,
    FormatReward,
    IoUReward,
    LengthReward,
    ReasoningStepsReward,
    ReferenceReward,
    Reward,
    StarR1Reward,
)
from reasonrft.rewards.faults import describe_error
from reasonrft.tasks import Task, find_builtin_task
from reasonrft.tasks.box_answers import BOX_KEYS
from reasonrft.tasks.tags import first_answer_block
from reasonrft.trance_calls import read_calls

COMPLETION_KEYS = ("completion", "pred", "prediction", "response", "completions")
SOLUTION_KEYS = ("solution", "answer")

_NAMES: dict[str, tuple[type[Reward], dict[str, Any]]] = {
    "accuracy": (AccuracyReward, {}),
    "strict": (StrictAccuracy, {}),
    "official": (OfficialAccuracy, {}),
    "format": (FormatReward, {}),
    "caption_format": (CaptionFormatReward, {}),
    "steps": (ReasoningStepsReward, {}),
    "length": (LengthReward, {}),
    "star_r1": (StarR1Reward, {}),
    "iou": (IoUReward, {}),
    "detection": (DetectionReward, {}),
    "classification": (ClassificationReward, {}),
    "scripts": (AccuracyReward, {"profile": "scripts"}),
    "paper": (AccuracyReward, {"profile": "paper"}),
    "reference.accuracy": (ReferenceReward, {"function": "accuracy"}),
    "reference.math_accuracy": (ReferenceReward, {"function": "math_accuracy"}),
    "reference.trance": (ReferenceReward, {"function": "trance"}),
    "reference.trance_only_full": (ReferenceReward, {"function": "trance_only_full"}),
    "reference.trance_penalty": (ReferenceReward, {"function": "trance_penalty"}),
    "reference.format": (FormatReward, {"profile": "scripts"}),
    "reference.caption_format": (CaptionFormatReward, {"profile": "scripts"}),
    "reference.reason": (ReasoningStepsReward, {}),
    "reference.len": (LengthReward, {"profile": "scripts"}),
    "reference.eval_clevr": (OfficialAccuracy, {"task": "counting"}),
    "reference.eval_geomath": (OfficialAccuracy, {"task": "structure"}),
    "reference.eval_geomath_enhance": (OfficialAccuracy, {"task": "structure", "substring": True}),
    "reference.eval_trance": (OfficialAccuracy, {"task": "transformation"}),
}
"""Short names are ours; the reference's functions have their own after `reference.`."""


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
            f"no reward is called {name!r}: use {', '.join(_NAMES)}, "
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
    """Rewards of every row of a file in order; returns how many rows there are and their mean."""
    rows = read_rows(file)
    cases = [
        _case(row, f"{file}: row {number}", task, reward.reads_answer)
        for number, row in enumerate(rows, 1)
    ]
    if reward.begins_early:  # all rows side by side
        for completions, problem, _ in cases:
            for completion in completions:
                reward.begin(completion, problem)
    lines, rewards = [], []
    progress = tqdm(zip(rows, cases, strict=True), total=len(rows), unit="row", disable=None)
    for number, (row, case) in enumerate(progress, 1):
        given = _rewards(reward, case, f"{file}: row {number}")
        rewards.extend(given)
        lines.append(json.dumps({**row, "score": given if "completions" in row else given[0]}))
    text = "".join(line + "\n" for line in lines)
    if output:
        with Staging() as staging:
            staging.write(output, text.encode())
    else:
        print(text, end="")
    return len(rows), statistics.fmean(rewards)


_Case = tuple[list[Completion], Problem, int]


def _case(row: Mapping[str, Any], where: str, task: str | None, needs_answer: bool) -> _Case:
    """Completions, problem and training step of a row."""
    key = first_key(row, COMPLETION_KEYS)
    if key is None:
        raise BadInput(f"{where}: {_lacks(row, COMPLETION_KEYS)}")
    completions = row[key] if key == "completions" else [row[key]]
    if not isinstance(completions, list) or not completions or not _all_text(completions):
        raise BadInput(f"{where}: {key} is not text")
    key = first_key(row, SOLUTION_KEYS)
    if key is None and needs_answer:
        raise BadInput(f"{where}: {_lacks(row, SOLUTION_KEYS)}")
    solution = row[key] if key else ""
    if not isinstance(solution, str | int | float) or isinstance(solution, bool):
        raise BadInput(f"{where}: {key} is neither text nor a number")
    problem = _problem(row, str(solution), _task(row, task, where))
    return _completions(row, completions, where), problem, _step(row, where)


def _completions(row: Mapping[str, Any], texts: list[str], where: str) -> list[Completion]:
    """Texts with their numbers of tokens, where the row has them."""
    tokens = row.get("tokens")
    counts = tokens if isinstance(tokens, list) else [tokens] * len(texts)
    if len(counts) != len(texts) or not all(_is_count(count) for count in counts if count):
        raise BadInput(f"{where}: tokens is not a number of tokens for each completion")
    return [Completion(*pair) for pair in zip(texts, counts, strict=True)]


def _step(row: Mapping[str, Any], where: str) -> int:
    if not _is_count(step := row.get("current_step", 0)):
        raise BadInput(f"{where}: current_step must be a whole number from 0, not {step!r}")
    return step


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _task(row: Mapping[str, Any], asked: str | None, where: str) -> str | None:
    """The task that was asked for, or the row's: a built-in one, for data never names code."""
    if asked or not row.get("task"):
        return asked
    try:
        return find_builtin_task(str(row["task"])).name
    except BadInput as error:
        raise BadInput(f"{where}: {error}, or name your own class with --task") from error


def first_key(row: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
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
        task=task or _task_of(answer),
        images=(),
        question=str(row.get("problem") or row.get("question") or ""),
        answer=answer,
        choices=tuple(row.get("choices") or ()),
        meta={**row, "solution": solution, "options": options},
    )


def _task_of(answer: str) -> str:
    """The task that a gold answer looks like."""
    if read_calls(answer):
        return "transformation"
    return "grounding" if any(key in answer for key in BOX_KEYS) else "general"


def _rewards(reward: Reward, case: _Case, where: str) -> list[float]:
    completions, problem, step = case
    try:
        (rewards,) = reward([completions], [problem], step)
    except Exception as error:  # anybody's code
        name = type(reward).__name__
        raise BadInput(f"{where}: {name} failed: {describe_error(error)}") from error
    for value in rewards:
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise BadInput(f"{where}: {type(reward).__name__} returned {value!r}, not a number")
    return [float(value) for value in rewards]
