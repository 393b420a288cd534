"""The curves of a run as one picture."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import rank_zero_info

from reasonrft.callbacks.curve_chart import Curve, Panel, draw_chart
from reasonrft.callbacks.run_state import is_dry
from reasonrft.files import Staging

Rows = list[Mapping[str, str]]
"""Of metrics.csv: columns by name, empty where nothing was logged."""

PANELS = {
    "Reward": {"train/reward": "all rewards, weighted"},
    "Accuracy reward": {"train/reward/accuracy": "accuracy"},
    "Length in tokens": {
        "train/completion_length": "completion",
        "train/reasoning_length": "reasoning",
    },
    "Divergence from the start": {"train/kl": "KL"},
    "Entropy": {"train/entropy": "per token"},
}
"""Columns of each panel, with their names in its legend."""


class CurvesPicture(Callback):
    """Draws the CSV logger's curves into curves.png in the trainer's default_root_dir."""

    def __init__(self, every: int = 50) -> None:
        """
        Args:
            every: Steps between two drawings; the last one is at the end.
        """
        self.every = every

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        # By now the batch before has been logged, and validation after it.
        if trainer.global_step and trainer.global_step % self.every == 0:
            _draw(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        place = _draw(trainer)
        if place is not None:
            rank_zero_info(f"curves: {place}")


def _draw(trainer: Trainer) -> Path | None:
    logger = next((one for one in trainer.loggers if isinstance(one, CSVLogger)), None)
    if is_dry(trainer) or not trainer.is_global_zero or logger is None:
        return None
    # Read from its file: that has also what was logged before the run was resumed.
    logger.save()
    panels = list(find_panels(read_rows(logger, trainer.log_every_n_steps)))  # type: ignore[attr-defined]
    if not panels:
        return None
    place = Path(trainer.default_root_dir) / "curves.png"
    with Staging() as staging:
        staging.write(place, draw_chart(panels))
    return place


def read_rows(logger: CSVLogger, interval: int) -> Rows:
    """All rows of a run: every time it is resumed, it begins a version of its own."""
    rows = _read(Path(logger.log_dir))
    version = logger.version
    while isinstance(version, int) and version > 0 and rows and _step(rows[0]) >= interval:
        version -= 1
        earlier = _read(Path(logger.root_dir) / f"version_{version}")
        rows = [row for row in earlier if _step(row) < _step(rows[0])] + rows
    return rows


def _read(folder: Path) -> Rows:
    place = folder / "metrics.csv"
    if not place.exists():
        return []
    # What follows the last line break is half a line, of a run that was killed.
    whole = place.read_text("utf-8").rpartition("\n")[0]
    return list(csv.DictReader(whole.splitlines()))


def _step(row: Mapping[str, str]) -> int:
    return int(row["step"])


def find_panels(rows: Rows) -> Iterator[Panel]:
    """Panels of what was logged; a figure that was always zero is none."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    watched = [name for name in columns if name.startswith("val/") and name.endswith("/accuracy")]
    splits = {name: name.split("/")[-2] for name in watched}
    for title, names in {**PANELS, "Validation accuracy": splits}.items():
        curves = [Curve(named, _points(rows, name)) for name, named in names.items()]
        if told := [curve for curve in curves if any(value for _, value in curve.points)]:
            yield Panel(title, told)


def _points(rows: Rows, name: str) -> Sequence[tuple[float, float]]:
    found = [(_step(row), float(row[name])) for row in rows if row.get(name)]
    return [(step, value) for step, value in found if math.isfinite(value)]
