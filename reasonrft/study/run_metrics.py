"""What the metrics of a run say: the work that went into it, and its best validation."""

import csv
from collections.abc import Iterator
from pathlib import Path

COMPUTE = "perf/compute_tokens"
Row = dict[str, str]


def rows(folder: Path) -> list[tuple[int, Row]]:
    """Rows of metrics.csv by step, in its order.

    Every start of a run has a file of its own; from the step where it goes on, it replaces those
    before. Those of tests are left out.
    """
    kept: list[tuple[int, Row]] = []
    for path in sorted(folder.glob("csv/version_*/metrics.csv"), key=_version):
        new = list(_read(path))
        if any(COMPUTE in row for _, row in new):
            begun = min(step for step, _ in new)
            kept = [(step, row) for step, row in kept if step < begun] + new
    return kept


def _version(path: Path) -> int:
    return int(path.parent.name.removeprefix("version_"))


def _read(path: Path) -> Iterator[tuple[int, Row]]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row.get("step"):
                yield int(row["step"]), row


def column(folder: Path, name: str) -> list[tuple[int, float]]:
    """Values of a metric, with their steps."""
    return [(step, float(row[name])) for step, row in rows(folder) if row.get(name)]


def compute_tokens(folder: Path) -> float:
    """Tokens of forward passes in all steps of a run."""
    return sum(value for _, value in column(folder, COMPUTE))


def best_validation(folder: Path, task: str) -> tuple[int, float] | None:
    """Step and accuracy of the best validation, the first of equal ones."""
    values = column(folder, f"val/{task}/val/accuracy")
    return max(values, key=lambda pair: pair[1]) if values else None
