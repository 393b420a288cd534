"""What callbacks ask of a Trainer."""

from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger


def is_dry(trainer: Trainer) -> bool:
    """Whether this is a run for trying out, which leaves nothing behind."""
    return bool(trainer.fast_dev_run)  # type: ignore[attr-defined]  # set by a function


def boards(trainer: Trainer) -> list[Any]:
    """TensorBoard's writers; on other ranks than the first they write nothing."""
    return [one.experiment for one in trainer.loggers if isinstance(one, TensorBoardLogger)]
