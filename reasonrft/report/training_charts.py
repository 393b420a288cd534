"""Training dynamics: metrics against steps, the mean of a row's seeds between least and most."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from reasonrft.chart_style import SMOOTHED, smooth
from reasonrft.report.charts import Chart, Mark, Series
from reasonrft.report.comparison import Comparison
from reasonrft.report.metric_files import History
from reasonrft.report.rows import Row
from reasonrft.report.table_cells import NONE, Cell, Table
from reasonrft.tasks import title_of

METRICS = {
    "train/reward": ("Reward", "weighted sum"),
    "train/accuracy": ("Accuracy of samples", "%"),
    "train/completion_length": ("Length of completions", "tokens"),
    "train/entropy": ("Entropy", "nats per token"),
    "train/kl": ("KL from the reference policy", "nats per token"),
    "train/loss": ("Loss of fine-tuning", "nats per token"),
}
"""Titles and units of charts."""
VALIDATED = {
    "accuracy": ("Accuracy in validation", "%"),
    "tokens": ("Length in validation", "tokens"),
}
MOST_SPLITS = 3
"""Splits of validation that have charts of their own."""
_NAME = re.compile(r"val/(.+)/([^/]+)/(accuracy|tokens)")


@dataclass(frozen=True)
class Curve:
    """A row's seeds at the steps that all of them have."""

    steps: Sequence[int]
    means: Sequence[float]
    lows: Sequence[float]
    highs: Sequence[float]


def curve_of(histories: Sequence[History], metric: str) -> Curve | None:
    """The mean over seeds with the least and the most; None below two steps."""
    values = [history[metric] for history in histories if metric in history]
    steps = sorted(set.intersection(*map(set, values))) if values else []
    if len(steps) < 2:
        return None
    table = np.array([[value[step] for step in steps] for value in values])  # (S, steps)
    if metric.startswith("train/") and len(steps) >= SMOOTHED:
        rows = [smooth(list(zip(steps, row.tolist(), strict=True))) for row in table]
        table = np.array([[value for _, value in row] for row in rows])
    return Curve(steps, table.mean(0).tolist(), table.min(0).tolist(), table.max(0).tolist())


def training_charts(compared: Comparison, task: str) -> Iterator[Chart]:
    for metric, (title, unit) in _metrics(compared, task).items():
        scale = 100.0 if unit == "%" else 1.0
        series = []
        for row in compared.rows:
            curve = curve_of(_histories(row, task, metric), metric)
            if curve is not None and any(curve.means):
                points = zip(curve.steps, curve.means, curve.lows, curve.highs, strict=True)
                marks = [
                    Mark(x, scale * y, scale * low, scale * high) for x, y, low, high in points
                ]
                series.append(Series(row.title, compared.number_of(row), marks))
        if series:
            name = re.sub(r"[^a-z0-9]+", "-", f"curves-{task}-{title}".lower()).strip("-")
            heading = (
                f"{title_of(task)}: {title[0].lower()}{title[1:]}" if title[:2] != "KL" else title
            )
            yield Chart(name, heading, unit, series, "curves", across="step")


def _histories(row: Row, task: str, metric: str) -> list[History]:
    histories = [run.history for run in row.runs_of(task) if run.history]
    if metric == "train/loss":
        # The loss of GRPO says nothing of progress: it is about zero before every update.
        return [history for history in histories if "train/reward" not in history]
    return histories


def _metrics(compared: Comparison, task: str) -> dict[str, tuple[str, str]]:
    """Names of metrics with title and unit; those of validation first, for each split."""
    logged = {name for row in compared.rows for run in row.runs_of(task) for name in run.history}
    found: dict[str, tuple[str, str]] = {}
    validated = sorted(filter(_NAME.fullmatch, logged))
    splits = list(dict.fromkeys(name.rpartition("/")[0] for name in validated))[:MOST_SPLITS]
    for figure, (title, unit) in VALIDATED.items():
        for split in splits:
            where = f" ({split.rpartition('/')[2]})" if len(splits) > 1 else ""
            found[f"{split}/{figure}"] = (title + where, unit)
    return found | METRICS


def dynamics_table(compared: Comparison, task: str) -> Table | None:
    """The paper's dynamics in figures: a dip, growing length, a reward that saturates."""
    rows = []
    for row in compared.rows:
        histories = [run.history for run in row.runs_of(task) if run.history]
        accuracy = next(
            (name for name in _metrics(compared, task) if name.endswith("/accuracy")), ""
        )
        validated = curve_of(histories, accuracy)
        figures = [
            curve_of(histories, name) for name in ("train/completion_length", "train/reward")
        ]
        if validated is None and not any(figures):
            continue
        shown = _extremes(validated) if validated else [NONE] * 4
        rows.append([Cell(row.title), *shown, *map(_change, figures, (0, 2))])
    head = ["", "validated first", "lowest", "highest", "last", "length", "reward"]
    return Table(title_of(task), head, rows) if rows else None


def _extremes(curve: Curve) -> list[Cell]:
    low, high = (int(which(curve.means)) for which in (np.argmin, np.argmax))
    return [
        Cell(f"{100 * curve.means[at]:.1f}", f"step {curve.steps[at]}")
        for at in (0, low, high, len(curve.means) - 1)
    ]


def _change(curve: Curve | None, digits: int) -> Cell:
    """From the first tenth of the steps to the last."""
    if curve is None:
        return NONE
    tenth = max(1, len(curve.means) // 10)
    first, last = np.mean(curve.means[:tenth]), np.mean(curve.means[-tenth:])
    return Cell(f"{first:.{digits}f} → {last:.{digits}f}")
