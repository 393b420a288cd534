"""What callbacks read of a Trainer and of its module."""

from lightning.pytorch import LightningModule, Trainer

from reasonrft.modules.step_record import StepRecord


def is_dry_run(trainer: Trainer) -> bool:
    """Whether the run only tries things out (`fast_dev_run`): such a run leaves no files."""
    return bool(trainer.fast_dev_run)  # type: ignore[attr-defined]  # set by a function


def last_step(module: LightningModule) -> StepRecord | None:
    """The record of the last training batch; None if the module leaves none."""
    record = getattr(module, "step_record", None)
    return record if isinstance(record, StepRecord) else None
