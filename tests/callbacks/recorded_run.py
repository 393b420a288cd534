"""A module that is no GRPOModule, and leaves StepRecords all the same."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader

from reasonrft.modules.step_record import StepRecord
from reasonrft.problems import Problem
from tests.datamodules.reading import made_up, quiet

TEXTS = ["<think>one two</think><answer>4</answer>", "<answer>5</answer>"]
"""What is said to have been answered to every problem: right, then wrong."""
LENGTHS = [9, 4]


class Recorded(LightningModule):
    """Learns to be zero, and leaves a record of given texts in each step."""

    def __init__(
        self, rewards: Sequence[str] = ("exact",), texts: Sequence[str] = TEXTS, **fields: Any
    ) -> None:
        super().__init__()
        self.names, self.texts, self.fields = rewards, texts, fields
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.step_record: StepRecord | None = None

    def training_step(self, batch: Sequence[Problem], batch_idx: int) -> Tensor:
        total = torch.tensor([[1.0, 0.0]] * len(batch))  # (P, G)
        metrics = {
            "train/reward": 0.5 + 0.1 * self.global_step,
            **{f"train/reward/{name}": 0.5 for name in self.names},
        }
        self.log_dict(metrics, batch_size=len(batch))
        fields: dict[str, Any] = {
            "step": self.global_step,
            "problems": batch,
            "texts": [self.texts] * len(batch),
            "lengths": torch.tensor([LENGTHS] * len(batch)),
            "stopped": total > -1,
            "rewards": dict.fromkeys(self.names, total),
            "total": total,
            "advantages": total - 0.5,
            "work": {},
            "metrics": metrics,
        }
        self.step_record = StepRecord(**{**fields, **self.fields})
        return self.weight.square().sum()

    def transfer_batch_to_device(self, batch: Any, device: Any, dataloader_idx: int) -> Any:
        return batch  # problems are frozen

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 0.1)


def problem(**changes: Any) -> Problem:
    return made_up(4, **changes)


def run(
    module: LightningModule,
    home: Path,
    callbacks: Sequence[Callback],
    steps: int = 2,
    problems: Sequence[Problem] = (),
    ckpt_path: str | None = None,
    **options: Any,
) -> Mapping[str, Tensor]:
    """Train for so many steps, and keep a checkpoint; returns what was logged last."""
    batches = [list(problems) or [problem()]] * 10
    loader: DataLoader = DataLoader(batches, batch_size=None, collate_fn=lambda batch: batch)
    trainer = quiet(
        default_root_dir=home,
        max_steps=steps,
        enable_checkpointing=True,
        callbacks=[*callbacks, ModelCheckpoint(home, save_last=True, every_n_train_steps=1)],
        log_every_n_steps=1,
        **options,
    )
    trainer.fit(module, loader, ckpt_path=ckpt_path)
    return trainer.callback_metrics
