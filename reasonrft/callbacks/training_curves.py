"""The curves of a run as one image."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info

from reasonrft.callbacks.curve_chart import Curve, Panel, draw_chart
from reasonrft.callbacks.run_state import is_dry_run, last_step
from reasonrft.chart_style import Point
from reasonrft.errors import BadInput
from reasonrft.files import Staging

History = dict[str, dict[int, float]]
"""Values of each metric by step."""

STATE = "reasonrft.TrainingCurves"
"""Where checkpoints hold the history."""

REWARD = "train/reward/"
"""How metrics of single rewards begin: their names are the user's."""
VALIDATION, ACCURACY = "val/", "/accuracy"
"""How metrics of validation begin and end: between them stand task and split."""

PANELS: dict[str, tuple[str, dict[str, str]]] = {
    "Reward": ("weighted sum", {"train/reward": "reward"}),
    "Rewards by name": ("unweighted", {}),
    "Accuracy in validation": ("%", {}),
    "Length": (
        "tokens",
        {"train/completion_length": "completion", "train/reasoning_length": "reasoning"},
    ),
    "Entropy": ("nats per token", {"train/entropy": "entropy"}),
    "KL divergence from the reference policy": ("nats per token", {"train/kl": "KL"}),
    "Loss": ("nats per token", {"train/loss": "loss"}),
}
"""Unit of each panel, and its metrics with their names in its legend."""


class TrainingCurves(Callback):
    """Draws reward, accuracy, length and entropy into curves.png in the default_root_dir.

    Needs no logger. Checkpoints hold the curves so far: a resumed run goes on with them.
    """

    def __init__(self, every: int = 50) -> None:
        """
        Args:
            every: Steps between two drawings; the last one is at the end.
        """
        if every < 1:
            raise BadInput(f"TrainingCurves: every is {every}: it must be at least 1")
        self.every = every
        self.history: History = {}

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        # By now all callbacks have logged what they measured in the batch before.
        self._collect(trainer, pl_module, _is_of_training)
        if trainer.global_step and trainer.global_step % self.every == 0:
            self._draw(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self._collect(trainer, pl_module, _is_accuracy)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._collect(trainer, pl_module, _is_of_training)
        path = self._draw(trainer)
        if path is not None:
            rank_zero_info(f"curves: {path}")

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._collect(trainer, pl_module, _is_of_training)
        checkpoint[STATE] = {name: dict(values) for name, values in self.history.items()}

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self.history = checkpoint.get(STATE, {})

    def _collect(
        self, trainer: Trainer, module: LightningModule, belongs: Callable[[str], bool]
    ) -> None:
        """Note what was logged last; all ranks do, since metrics may be reduced over them."""
        record = last_step(module)
        step = trainer.global_step - 1 if record is None else record.step
        for name, value in trainer.callback_metrics.items():
            if step >= 0 and belongs(name):
                self.history.setdefault(name, {})[step] = float(value)

    def _draw(self, trainer: Trainer) -> Path | None:
        if is_dry_run(trainer) or not trainer.is_global_zero:
            return None
        panels = list(find_panels(self.history))
        if not panels:
            return None
        path = Path(trainer.default_root_dir) / "curves.png"
        with Staging() as staging:
            staging.write(path, draw_chart(panels))
        return path


def _is_of_training(name: str) -> bool:
    return name.startswith(REWARD) or any(name in names for _, names in PANELS.values())


def _is_accuracy(name: str) -> bool:
    return name.startswith(VALIDATION) and name.endswith(ACCURACY)


def find_panels(history: History) -> Iterator[Panel]:
    """Panels of what was logged; a metric that was always zero has none."""
    rewards = {name: name.removeprefix(REWARD) for name in history if name.startswith(REWARD)}
    splits = {
        name: name.removeprefix(VALIDATION).removesuffix(ACCURACY)
        for name in filter(_is_accuracy, history)
    }
    by_title = {"Rewards by name": rewards, "Accuracy in validation": splits}
    if "train/reward" in history:
        # The loss of GRPO says nothing of progress: it is about zero before every update.
        by_title["Loss"] = {}
    for title, (unit, names) in PANELS.items():
        scale = 100.0 if unit == "%" else 1.0
        labels = by_title.get(title, names)
        curves = [Curve(label, _points(history, name, scale)) for name, label in labels.items()]
        if shown := [curve for curve in curves if any(value for _, value in curve.points)]:
            yield Panel(title, unit, shown)


def _points(history: History, name: str, scale: float) -> list[Point]:
    points = sorted(history.get(name, {}).items())
    return [(step, scale * value) for step, value in points if math.isfinite(value)]
