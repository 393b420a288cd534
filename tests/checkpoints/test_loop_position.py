"""A run goes on from any of its checkpoints to the very checkpoints that came after it.

If that holds from each to each, it holds for any number of kills, wherever they hit.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer
from torch import nn

from reasonrft.checkpoints.loop_position import position, straighten
from reasonrft.datamodules import CountingDataModule
from reasonrft.modules import GRPOModule, SFTModule
from reasonrft.modules.base import ReasoningModule
from reasonrft.policy import Policy
from reasonrft.rollout import Sampling
from tests.datamodules.reading import MadeUp, made_up, quiet
from tests.modules.fitting import Capitals

pytestmark = pytest.mark.filterwarnings("ignore")

TRAINED = [made_up(number) for number in (2, 9, 4, 1, 7)]
KEPT = ("on_train_batch_end", "on_validation_end", "on_train_epoch_end")
RUNS = {
    "by epochs": {"max_epochs": 3},
    "by steps": {"max_steps": 8},
    "accumulated by epochs": {"max_epochs": 3, "accumulate_grad_batches": 2},
    "accumulated by steps, which end inside": {"max_steps": 5, "accumulate_grad_batches": 2},
    "with validation": {"max_epochs": 3, "val_check_interval": 2},
    "with validation, by steps": {"max_steps": 7, "limit_val_batches": 1},
    "with fewer batches": {"max_steps": 5, "limit_train_batches": 2},
}


class KeepAll(Callback):
    """A checkpoint at every point where some callback takes one, by when that was."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: dict[tuple[int, str], Path] = {}
        folder.mkdir()

    def keep(self, trainer: Trainer, hook: str) -> None:
        when = (trainer.fit_loop.total_batch_idx, hook)
        path = self.folder / f"{len(self.paths)}.ckpt"
        trainer.save_checkpoint(path)
        assert when not in self.paths
        self.paths[when] = path

    def on_train_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        self.keep(trainer, "batch")

    def on_validation_end(self, trainer: Trainer, module: Any) -> None:
        self.keep(trainer, "validation")

    def on_train_epoch_end(self, trainer: Trainer, module: Any) -> None:
        self.keep(trainer, "epoch")


def fine_tuned(folder: Path) -> SFTModule:
    return SFTModule(Policy(str(folder)), lambda params: torch.optim.AdamW(params, 0.01))


def reinforced(folder: Path) -> GRPOModule:
    return GRPOModule(
        Policy(str(folder)),
        {"capitals": Capitals()},
        group_size=2,
        sampling=Sampling(max_tokens=4),
        beta=0.04,
        updates=2,
        optimizer=lambda params: torch.optim.AdamW(params, 0.01),
    )


def run(module: ReasoningModule, folder: Path, options: dict[str, Any], start: Path | None = None):
    keep = KeepAll(folder)
    source = MadeUp(TRAINED, val=TRAINED[:2]) if _validates(options) else MadeUp(TRAINED)
    data = CountingDataModule(source, batch_size=2)
    trainer = quiet(callbacks=[keep], **options)
    trainer.fit(module, data, ckpt_path=start and str(start))
    return keep.paths, trainer.global_step


def _validates(options: dict[str, Any]) -> bool:
    return any("val" in name for name in options)


def content(path: Path, accumulated: int) -> dict[str, Any]:
    """What a checkpoint says, its counters as they are gone on with."""
    checkpoint = torch.load(path, weights_only=True)
    straighten(checkpoint["loops"]["fit_loop"], accumulated)
    del checkpoint["loops"]["validate_loop"], checkpoint["loops"]["test_loop"]
    return checkpoint


def differences(first: Any, second: Any, at: str = "") -> list[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        if first.keys() != second.keys():
            return [f"{at}: {first.keys() ^ second.keys()}"]
        return [d for key in first for d in differences(first[key], second[key], f"{at}/{key}")]
    if isinstance(first, list | tuple) and len(first) == len(second):
        pairs = enumerate(zip(first, second, strict=True))
        return [d for key, (a, b) in pairs for d in differences(a, b, f"{at}/{key}")]
    same = torch.equal(first, second) if isinstance(first, torch.Tensor) else first == second
    return [] if same else [f"{at}: {first} {second}"]


@pytest.mark.parametrize("make", [fine_tuned, reinforced])
@pytest.mark.parametrize("name", RUNS)
def test_every_checkpoint_leads_to_all_later_ones(name, make, family_folder, tmp_path):
    options = RUNS[name]
    accumulated = options.get("accumulate_grad_batches", 1)
    if make is reinforced and accumulated > 1:
        pytest.skip("updates of stage 2 are not accumulated over batches")
    folder = family_folder("qwen3-vl")
    expected, steps = run(make(folder), tmp_path / "whole", options)
    whens = list(expected)
    for number, when in enumerate(whens[:-1]):
        start = expected[when]
        taken, at = run(make(folder), tmp_path / str(number), options, start)
        assert at == steps
        print(when, list(taken))
        for later, path in taken.items():
            assert not differences(
                content(expected[later], accumulated), content(path, accumulated)
            ), (when, later)
