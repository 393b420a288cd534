"""A short run of each stage, and what is left of it: for tests of how runs end."""

import csv
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

STEPS = 6
COMMON: dict[str, Any] = {
    "data.source.train": 12,
    "data.source.val": 0,
    "data.source.test": 1,
    "data.batch_size": 2,
    "model.answer_tokens": 2,
    "trainer.accelerator": "cpu",
    "trainer.enable_progress_bar": "false",
    "trainer.log_every_n_steps": 1,
    "trainer.limit_val_batches": 0,
    "trainer.max_steps": STEPS,
    "model.optimizer.init_args.lr": 0.01,
}
SFT: dict[str, Any] = {"data.source.train": 24, "trainer.accumulate_grad_batches": 2}
GRPO: dict[str, Any] = {
    "model.updates": 2,
    "model.group_size": 2,
    "model.sampling.max_tokens": 4,
    "trainer.max_steps": 2 * STEPS,
}
CAPITALS = {"class_path": "tests.modules.fitting.Capitals"}


class Run:
    """The arguments of a run of one stage, whose folder is below its home."""

    def __init__(self, stage: str, home: Path, policy: Path, data: Path) -> None:
        self.home, self.folder = home, home / "out"
        self.options = COMMON | {"sft": SFT, "grpo": GRPO}[stage]
        self.options |= {"policy": policy, "data.source.folder": data}
        self.options["trainer.default_root_dir"] = self.folder
        self.stage = stage
        home.mkdir(parents=True, exist_ok=True)

    def args(self, reward: Any = CAPITALS, callback: Any = None, **options: Any) -> list[str]:
        if self.stage == "grpo":
            options = {"model.rewards": json.dumps({"one": reward})} | options
        if callback is not None:
            options = {"trainer.callbacks": json.dumps([callback])} | options
        options = self.options | options
        return [
            *["fit", "--config", f"{self.stage}.yaml"],
            *(f"--{name}={value}" for name, value in options.items()),
        ]

    def logged(self, version: int = 0) -> dict[int, dict[str, str]]:
        """What was logged of training at each step, digit for digit."""
        with (self.folder / "csv" / f"version_{version}" / "metrics.csv").open() as file:
            rows = [row for row in csv.DictReader(file) if row.get("train/loss")]
        return {int(row["step"]): of_training(row) for row in rows}

    def saved_step(self) -> int:
        checkpoint = torch.load(self.folder / "checkpoints" / "last.ckpt", weights_only=True)
        return int(checkpoint["global_step"])

    def weights(self) -> dict[str, torch.Tensor]:
        return load_file(self.folder / "policy" / "model.safetensors")


def of_training(row: dict[str, str]) -> dict[str, str]:
    once = "train/image_gap"  # logged at the start of each process
    return {n: v for n, v in row.items() if n.startswith("train/") and n != once}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(v, other[n]) for n, v in one.items())
