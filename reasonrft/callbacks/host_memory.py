"""How much memory of the host a run holds."""

from typing import Any

import psutil
from lightning.pytorch import Callback, LightningModule, Trainer


class HostMemory(Callback):
    """Logs perf/host_rss, the resident memory of the process in MiB, with every batch."""

    def __init__(self) -> None:
        self.process = psutil.Process()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        resident = self.process.memory_info().rss / 2**20
        pl_module.log("perf/host_rss", resident, batch_size=1)
