"""What validation measured along a run, on file as soon as it is known."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from reasonrft.files import Staging

Measured = dict[int, dict[str, float]]
"""Metrics of validation by step."""

FILE = "validations.json"


class ValidationRecord(Callback):
    """Writes metrics of every validation into the trainer's default_root_dir.

    A logger's file lacks its last lines where a run was killed; this one never does. A validation
    that a run was killed before is made up for, so that it measures what it would have.
    """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        known = trainer.global_step in read_measured(Path(trainer.default_root_dir))
        if trainer.strategy.broadcast(is_due(trainer) and not known):
            # As the loop does it that goes on from here.
            trainer.validating = True
            trainer.fit_loop.epoch_loop.val_loop.run()
            trainer.training = True

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        folder = Path(trainer.default_root_dir)
        metrics = trainer.callback_metrics
        now = {name: float(metrics[name]) for name in metrics if name.startswith("val/")}
        if trainer.is_global_zero and not trainer.sanity_checking:
            write_measured(folder, read_measured(folder) | {trainer.global_step: now})


def is_due(trainer: Trainer) -> bool:
    """Whether a validation comes before the next batch of a run that goes on from a checkpoint."""
    every, interval = trainer.check_val_every_n_epoch, trainer.val_check_batch
    progress = trainer.fit_loop.epoch_loop.batch_progress
    if not trainer.global_step or not trainer.enable_validation or not isinstance(interval, int):
        return False
    if every is None:
        return progress.total.ready % interval == 0
    batches = progress.current.ready  # none between two epochs
    epochs = trainer.current_epoch + (batches > 0)
    return epochs % every == 0 and batches % interval == 0


def read_measured(folder: Path) -> Measured:
    """What is on file of a run; nothing where it has not validated."""
    path = folder / FILE
    lines = json.loads(path.read_text()) if path.exists() else []
    return {line["step"]: line["metrics"] for line in lines}


def write_measured(folder: Path, measured: Measured) -> None:
    lines: list[Mapping[str, Any]] = [
        {"step": step, "metrics": measured[step]} for step in sorted(measured)
    ]
    with Staging() as staging:
        staging.write(folder / FILE, json.dumps(lines, indent=1).encode())


def best_of(measured: Measured, metric: str, mode: str) -> tuple[float, int] | None:
    """The best value of a metric and its step, the first of equals, as best.ckpt is chosen."""
    sign = 1 if mode == "max" else -1
    values = [
        (sign * metrics[metric], -step)
        for step, metrics in measured.items()
        if math.isfinite(metrics.get(metric, math.nan))
    ]
    if not values:
        return None
    value, step = max(values)
    return sign * value, -step
