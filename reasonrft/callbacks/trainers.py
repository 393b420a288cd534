"""What callbacks ask of a Trainer and of its module."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from reasonrft.modules.grpo import GRPOModule
from reasonrft.modules.step_record import StepRecord


def is_dry(trainer: Trainer) -> bool:
    """Whether this is a run for trying out, which leaves nothing behind."""
    return bool(trainer.fast_dev_run)  # type: ignore[attr-defined]  # set by a function


def record_of(module: LightningModule) -> StepRecord | None:
    """What the last batch of a reinforcement left behind."""
    return module.step_record if isinstance(module, GRPOModule) else None


def boards(trainer: Trainer) -> list[Any]:
    """TensorBoard's writers; on other ranks than the first they write nothing."""
    return [one.experiment for one in trainer.loggers if isinstance(one, TensorBoardLogger)]
