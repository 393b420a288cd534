"""What a run logged, step by step, from csv/version_*/metrics.csv."""

import csv
import math
import re
from collections.abc import Iterator
from pathlib import Path

from reasonrft.errors import BadInput

History = dict[str, dict[int, float]]
"""Values of each metric by step."""

COMPUTE = "perf/compute_tokens"
_KEPT = re.compile(
    r"train/(reward|accuracy|completion_length|entropy|kl|loss)|val/.+/(accuracy|tokens)|" + COMPUTE
)


def metric_files(folder: Path) -> list[Path]:
    """One file for each time that the run was started, the oldest first."""
    files = folder.glob("csv/version_*/metrics.csv")
    return sorted(files, key=lambda file: (len(file.parent.name), file.parent.name))


def read_history(folder: Path) -> History:
    """What is drawn or counted; a run that went on replaces what came after its start."""
    history: History = {}
    for file in metric_files(folder):
        points = list(_points(file))
        if not points:
            continue
        begin = min(step for _, step, _ in points)
        for values in history.values():
            for step in [step for step in values if step >= begin]:
                del values[step]
        for name, step, value in points:
            history.setdefault(name, {})[step] = value
    return {name: values for name, values in history.items() if values}


def _points(file: Path) -> Iterator[tuple[str, int, float]]:
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                yield from _of_row(row)
    except (ValueError, TypeError, csv.Error) as error:
        raise BadInput(f"{file} is not a CSV of metrics by step: {error}") from error


def _of_row(row: dict[str, str]) -> Iterator[tuple[str, int, float]]:
    for name, text in row.items():
        if text and _KEPT.fullmatch(name) and math.isfinite(value := float(text)):
            yield name, int(row["step"]), value
