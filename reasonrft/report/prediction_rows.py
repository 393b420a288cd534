"""Other tools' predictions as runs: matched with the questions they answer, and measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reasonrft.errors import BadInput
from reasonrft.evaluation.answers import Line, describe
from reasonrft.evaluation.results import measure_answer
from reasonrft.problems import Problem
from reasonrft.readers import load_problems
from reasonrft.report.found_runs import Run, stored_lines
from reasonrft.report.measured_answers import Answered, measured, question_key
from reasonrft.reward_command import COMPLETION_KEYS, first_key, read_rows
from reasonrft.tasks import find_builtin_task

Questions = Sequence[Line]
"""What can be answered, in its order: lines with a split, and without completions."""


def read_predictions(name: str, file: Path, questions: Questions) -> Run:
    """A run of a file's predictions; `BadInput` about one that answers none of the questions."""
    rows = read_rows(file)
    by_id = _by_id(questions)
    lines, strange = [], []
    for number, row in enumerate(rows, 1):
        line = _question(row, by_id, questions)
        if line is None:
            strange.append(str(row.get("id", row.get("index", f"row {number}"))))
        else:
            lines.append({**line, **_answer(row, f"{file}: row {number}")})
    if strange:
        raise BadInput(
            f"{file}: {len(lines)} of {len(rows)} predictions match a question; there is none for "
            f"{strange[0]!r}: give the file of questions with --against, and each prediction the "
            "id of its question, or its index from 0"
        )
    lines = [_measured(line) for line in {question_key(line): line for line in lines}.values()]
    return Run(name, file, answers={"own": _answered(lines)}, lines=lines)


def _by_id(questions: Questions) -> dict[tuple[str, str], Line]:
    """Questions by split and id, and by their id alone where no other split has it."""
    found: dict[tuple[str, str], Line] = {}
    twice: set[str] = set()
    for line in questions:
        id, split = str(line["id"]), str(line["split"])
        if ("", id) in found and found["", id]["split"] != split:
            twice.add(id)
        found["", id] = found[split, id] = found[split.partition("/")[2], id] = line
    return {key: line for key, line in found.items() if key[0] or key[1] not in twice}


def _question(
    row: Mapping[str, Any], by_id: Mapping[tuple[str, str], Line], in_order: Questions
) -> Line | None:
    if "id" in row:
        return by_id.get((str(row.get("split", "")), str(row["id"])))
    index = row.get("index")
    if isinstance(index, int) and 0 <= index < len(in_order):
        return in_order[index]
    return None


def _answer(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    key = first_key(row, COMPLETION_KEYS)
    if key is None:
        wanted = " or ".join(COMPLETION_KEYS)
        raise BadInput(f"{where}: no {wanted} among its keys ({', '.join(row)})")
    text = row[key]
    if isinstance(text, list):
        text = text[0] if text else None
    if not isinstance(text, str | int | float):
        raise BadInput(f"{where}: {key} is not text")
    tokens = row.get("tokens")
    return {"completion": str(text), "tokens": tokens if isinstance(tokens, int) else 0}


def _measured(line: Line) -> Line:
    """A line with both accuracies."""
    meta = {**line, "options": line.get("options") or ()}
    problem = Problem(
        id=str(line["id"]),
        task=str(line["task"]),
        images=(),
        question=str(line.get("problem", "")),
        answer=str(line.get("answer", "")),
        choices=tuple(line.get("choices") or ()),
        meta=meta,
    )
    task = find_builtin_task(problem.task)
    return {**line, **measure_answer(problem, line["completion"], task)}


def _answered(lines: Sequence[Line]) -> Answered:
    splits: dict[str, dict[str, Any]] = {}
    for line in lines:
        splits.setdefault(str(line["split"]), {})[question_key(line)] = measured(line)
    return splits


def questions_of_file(file: Path, asked: Questions) -> Questions:
    """A file's questions under the splits in which runs answered them, others under its name."""
    if not file.exists():
        raise BadInput(f"no such file: {file}; give the file of questions that were answered")
    known = {question_key(line, ""): line for line in asked}
    found = []
    for problem in load_problems(file):
        line = describe("", problem)
        new = {**line, "split": f"{problem.task}/{file.stem}"}
        found.append(known.get(question_key(line, ""), new))
    return found


def questions_of_runs(runs: Sequence[Run]) -> Questions:
    """The questions that runs answered, in the order of their first run."""
    found: dict[str, Line] = {}
    for run in runs:
        for line in stored_lines(run):
            kept = {key: value for key, value in line.items() if key not in _ANSWERS}
            found.setdefault(question_key(line), kept)
    return list(found.values())


_ANSWERS = ("completion", "tokens", "truncated", "official", "strict", "key", "policy")
