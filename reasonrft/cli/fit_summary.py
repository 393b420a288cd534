"""The first lines of a training run: what is trained, on what, and where results go."""

import math
from collections.abc import Iterator
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info

from reasonrft.datamodules import TaskDataModule
from reasonrft.modules import GRPOModule, ReasoningModule


class FitSummary(Callback):
    """Says what matters of a run before its first step."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        lines = [f"{name:9} {text}" for name, text in summary(trainer, pl_module)]
        rank_zero_info("\n".join(lines))


def summary(trainer: Trainer, module: LightningModule) -> Iterator[tuple[str, str]]:
    """What a reader wants to know first, by name."""
    data: Any = getattr(trainer, "datamodule", None)
    if isinstance(module, ReasoningModule):
        yield "policy", _policy(module)
    yield "trained", _trained(module)
    if isinstance(data, TaskDataModule):
        yield "problems", _problems(data)
    yield "steps", _steps(trainer, module, data)
    processes = "" if trainer.world_size == 1 else f", {trainer.world_size} processes"
    yield "device", f"{trainer.strategy.root_device}, precision {trainer.precision}{processes}"
    yield "results", trainer.default_root_dir


def _policy(module: ReasoningModule) -> str:
    policy = module.policy
    adapter = "" if policy.adapter is None else f", LoRA adapter of rank {policy.adapter.rank}"
    bits = f" on weights in 4 bits ({policy.quantize})" if policy.quantize else ""
    return f"{policy.path}{adapter}{bits}"


def _trained(module: LightningModule) -> str:
    trained = sum(value.numel() for value in module.parameters() if value.requires_grad)
    total = sum(value.numel() for value in module.parameters())
    parts = ""
    if isinstance(module, ReasoningModule):
        parts = f", in: {', '.join(module.policy.train_parts)}"
    return f"{trained:,} of {total:,} parameters{parts}"


def _problems(data: TaskDataModule) -> str:
    counts = {split: len(problems) for split, problems in data.problems.items()}
    validated = data.eval_splits("validate")
    told = [f"{counts.pop('train'):,} to train on"]
    for split, count in counts.items():
        told.append(f"{count:,} of {split}{' (validation)' if split in validated else ''}")
    return ", ".join(told)


def _steps(trainer: Trainer, module: LightningModule, data: Any) -> str:
    total = trainer.estimated_stepping_batches
    count = f"{int(total):,}" if math.isfinite(total) else "without end"
    begun = f", {trainer.global_step:,} of them done" if trainer.global_step else ""
    return f"{count}{begun}{_batch(trainer, module, data)}"


def _batch(trainer: Trainer, module: LightningModule, data: Any) -> str:
    if not isinstance(data, TaskDataModule):
        return ""
    if data.batch_tokens is not None:
        return f", batches of {data.batch_tokens:,} tokens"
    size = data.batch_size * trainer.world_size * trainer.accumulate_grad_batches
    if isinstance(module, GRPOModule):
        return f", each of {size} prompts x {module.group_size} completions"
    return f", each of {size} examples"
