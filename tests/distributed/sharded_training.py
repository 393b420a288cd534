"""Fine-tunings whose weights are spread over ranks, and that go on from checkpoints."""

from pathlib import Path
from typing import Any

import torch
from bitsandbytes.optim import AdamW8bit
from lightning.pytorch import Callback, Trainer
from torch import distributed

from reasonrft.checkpoints import SafeCheckpointIO
from reasonrft.distributed.sharding_strategy import ShardingStrategy
from reasonrft.modules import SFTModule
from reasonrft.policy import Lora, Policy
from reasonrft.policy.sharding import full_parameters
from tests.datamodules.reading import quiet
from tests.distributed.processes import fork_ranks
from tests.modules.fitting import Losses, data

SAVED = 3
"""After so many batches a checkpoint is written, in the middle of an epoch of two."""
CASES: dict[str, dict[str, Any]] = {
    "sharded": {},
    "consolidated": {"checkpoints": "consolidated"},
    "adapter": {"adapter": Lora(rank=4), "quantize": "nf4"},
    "8-bit": {"optimizer": AdamW8bit, "min_8bit_size": 64},
    "master": {"dtype": "bfloat16", "master_weights": True},
    "accumulated": {"accumulate_grad_batches": 2},
    "ddp": {"checkpoints": None},
}
HYBRID = {"whole": {}, "hybrid": {"shard_size": 2}}


class Saves(Callback):
    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        if trainer.fit_loop.total_batch_idx + 1 == SAVED:
            trainer.save_checkpoint(self.path)


def tune(
    folder: Path,
    ranks: int,
    save: Path | None = None,
    resume: Path | None = None,
    adapter: Lora | None = None,
    quantize: Any = None,
    optimizer: Any = torch.optim.AdamW,
    min_8bit_size: int | None = None,
    dtype: Any = "float32",
    master_weights: bool = False,
    accumulate_grad_batches: int = 1,
    **strategy: Any,
) -> dict[str, Any]:
    """Three epochs on eight examples, four of them at a time; their losses and last weights."""
    torch.manual_seed(0)  # for adapters
    options = {"min_8bit_size": min_8bit_size} if min_8bit_size else {}
    policy = Policy(str(folder), adapter=adapter, quantize=quantize, dtype=dtype)
    module = SFTModule(
        policy,
        lambda parameters: optimizer(parameters, 0.003, **options),
        master_weights=master_weights,
    )
    losses = Losses()
    trainer = quiet(
        devices=ranks,
        strategy=strategy_of(ranks, **strategy),
        callbacks=[losses, Saves(save)] if save else [losses],
        accumulate_grad_batches=accumulate_grad_batches,
        gradient_clip_val=0.5,
        max_epochs=3,
        plugins=[SafeCheckpointIO()],
    )
    batches = data(batch_size=4 // ranks, group_by_length=False)
    trainer.fit(module, batches, ckpt_path=resume)
    weights = {name: value.clone() for name, value in full_parameters(policy)}
    return {"losses": losses.by_step, "weights": weights}


def strategy_of(ranks: int, **options: Any) -> Any:
    if ranks == 1:
        return "auto"
    return "ddp" if options.get("checkpoints", "") is None else ShardingStrategy(**options)


def run_cases(ranks: int, home: Path, folder: Path) -> None:
    for name, options in (CASES if ranks == 2 else HYBRID).items():
        path = home / f"{name}.ckpt"
        whole = tune(folder, ranks, save=path, **options)
        others = {"shard_size": None} if name == "hybrid" else {}
        rest = tune(folder, ranks, resume=path, **options | others)
        torch.save((whole, rest), home / f"{name}-{distributed.get_rank()}.pt")
    if ranks == 2:
        outcome = tune(folder, ranks, resume=home / "alone.ckpt")
        torch.save(outcome, home / f"from-one-{distributed.get_rank()}.pt")


def run_on_several(folder: Path, home: Path) -> None:
    """Run them on two ranks, and one of them on four."""
    for ranks in (2, 4):
        fork_ranks(run_cases, ranks, home, folder)
