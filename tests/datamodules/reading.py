"""Problems that are made up, and a module that only writes down what it is given."""

from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer

from reasonrft.datamodules import CountingDataModule, ProblemSource
from reasonrft.policy import Encoder
from reasonrft.problems import Problem
from tests.policy.problems import image


def made_up(number: int, **changes: Any) -> Problem:
    """A problem whose chain of thought is the longer the greater its number."""
    fields: dict[str, Any] = {
        "id": f"p{number}",
        "task": "counting",
        "images": (image((20 * number % 256, 90, 30)),),
        "question": "How many?",
        "answer": str(number),
        "cot": "one " * number + ".",
    }
    return Problem(**{**fields, **changes})


class MadeUp(ProblemSource):
    def __init__(self, train: Sequence[Problem] = (), **tests: Sequence[Problem]) -> None:
        self.given = {"train": list(train), **tests}

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self.given)

    def problems(self, split: str, task: str | None = None) -> Sequence[Problem]:
        return self.given[split]


class Reader(LightningModule):
    """Learns nothing, and remembers every batch."""

    def __init__(self, encoder: Encoder, learns_from: str = "examples") -> None:
        super().__init__()
        self.encoder, self.learns_from = encoder, learns_from
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.batches: list[Any] = []

    def training_step(self, batch: Any, batch_idx: int) -> None:
        self.batches.append(batch)

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self.batches.append((dataloader_idx, batch))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def quiet(**options: Any) -> Trainer:
    defaults = {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "max_epochs": 1,
    }
    return Trainer(**{**defaults, **options})


def read(
    encoder: Encoder, source: ProblemSource, learns_from: str = "examples", **options: Any
) -> list[Any]:
    """All batches of an epoch."""
    reader = Reader(encoder, learns_from)
    quiet().fit(reader, CountingDataModule(source, **options))
    return reader.batches
