"""The weights of the best validation."""

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint


class BestCheckpoint(ModelCheckpoint):
    """Keeps best.ckpt, of the validation with the greatest value of a metric."""

    def __init__(self, monitor: str, dirpath: str | None = None, mode: str = "max") -> None:
        """
        Args:
            monitor: Metric by which validations are compared.
            dirpath: Folder of the checkpoint.
            mode: max or min.
        """
        super().__init__(
            dirpath,
            "best",
            monitor,
            mode=mode,
            save_on_train_epoch_end=False,
            enable_version_counter=False,
        )

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # A validation that does not answer this split is no reason to stop a run.
        if self.monitor in trainer.callback_metrics:
            super().on_validation_end(trainer, pl_module)
