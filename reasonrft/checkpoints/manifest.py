"""What a checkpoint knows of the run that wrote it, and what has changed in one that goes on."""

import hashlib
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from lightning.pytorch import LightningModule, Trainer

import reasonrft
from reasonrft.datamodules import TaskDataModule
from reasonrft.datamodules.curriculum import items_by_level
from reasonrft.datamodules.mixture import shares_told
from reasonrft.modules.base import ReasoningModule
from reasonrft.policy.hub_paths import portable_name
from reasonrft.problems import Problem

Manifest = dict[str, Any]
"""Plain values by dotted names; those of the configuration as they are given on a command line."""

Changes = dict[str, tuple[Any, Any]]
"""Before and now, by name."""

NOT_THERE = "not there"
# Where a run's parts come from, which are told themselves, and how it goes on.
LEFT_OUT = (
    "ckpt_path",
    "config",
    "name",
    "policy",
    "problems",
    "resume_changed",
    "test_problems",
    "weights_only",
)
# Told in other words: with the number of processes, or by what they lead to.
TOLD_OTHERWISE = ("data.batch_size", "data.batch_tokens", "model.policy.path")
HARMLESS = (
    "versions.",
    "ranks",
    "trainer.",
    "blind",
    "swap",
    "endpoint",
    # What is read from the source is told by its digest.
    "data.source.",
    "data.limit",
    "data.skip",
    "data.max_tokens",
    "data.workers",
    "data.eval_batch_size",
    "data.val_splits",
    # Evaluation, and where its results go.
    "model.answer_tokens",
    "model.blind",
    "model.results",
    "model.swap",
    # Memory and time, and not the update.
    "model.micro_batch_tokens",
    "model.reward_seconds",
    "model.row_tokens",
    "model.policy.activation_checkpointing",
    "model.policy.attention",
    "model.policy.image_memory",
    "model.policy.logit_chunk",
    "model.policy.revision",  # the commit that it stands for is told
)
"""Beginnings of what may change without another update; of anything else, it is another run."""
NOT_HARMLESS = (
    "trainer.accumulate_grad_batches",
    "trainer.gradient_clip_algorithm",
    "trainer.gradient_clip_val",
    "trainer.limit_train_batches",
    "trainer.overfit_batches",
    "trainer.precision",
)


def make_manifest(config: Mapping[str, Any], trainer: Trainer, module: LightningModule) -> Manifest:
    """What a run is: its configuration, and what that does not say.

    Args:
        config: The configuration of the command, complete and plain.
        trainer: The trainer, with its data set up.
        module: What is trained.
    """
    told: Manifest = {f"versions.{name}": number for name, number in _versions()}
    told |= {"ranks": trainer.world_size}
    if isinstance(module, ReasoningModule):
        told |= _policy(module)
    data = getattr(trainer, "datamodule", None)
    if isinstance(data, TaskDataModule):
        told |= _data(data, trainer.world_size)
    chosen = {key: value for key, value in config.items() if key not in LEFT_OUT}
    flat = {key: value for key, value in flatten(chosen) if key not in TOLD_OTHERWISE}
    return told | flat


def changes(before: Manifest, now: Manifest) -> tuple[Changes, Changes]:
    """What is different: what makes it another run, and what is harmless."""
    keys = (*before, *(key for key in now if key not in before))
    pairs = {key: (before.get(key, NOT_THERE), now.get(key, NOT_THERE)) for key in keys}
    different = {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
    harmless = {
        key: pair
        for key, pair in different.items()
        if key.startswith(HARMLESS) and key not in NOT_HARMLESS
    }
    return {key: different[key] for key in different if key not in harmless}, harmless


def flatten(value: Any, key: str = "") -> Iterable[tuple[str, Any]]:
    """Plain values of a configuration by dotted names."""
    if not isinstance(value, Mapping) or not value:
        yield key, value
        return
    for name, below in value.items():
        dotted = key if name == "init_args" else f"{key}.{name}" if key else str(name)
        yield from flatten(below, dotted) if below != {} else ()


def fingerprint_of(problems: Iterable[Problem]) -> str:
    """A hash of the problems in their order: of what is asked and what is learned."""
    digest = hashlib.sha256()
    for problem in problems:
        text = (problem.id, problem.task, problem.question, problem.answer, problem.cot)
        pair = [problem.meta[side] for side in ("chosen", "rejected") if side in problem.meta]
        digest.update(repr((*text, problem.choices, len(problem.images), *pair)).encode())
    return digest.hexdigest()[:16]


def _versions() -> Iterable[tuple[str, str]]:
    yield "python", platform.python_version()
    yield "reasonrft", reasonrft.__version__
    for package in ("torch", "transformers", "lightning"):
        yield package, version(package)


def _policy(module: ReasoningModule) -> Manifest:
    commit = getattr(module.policy.model.config, "_commit_hash", None)
    return {"policy.path": portable_name(module.policy.path), "policy.commit": commit}


def _data(data: TaskDataModule, ranks: int) -> Manifest:
    size: Manifest = {"batch.examples": data.batch_size * ranks}
    if data.batch_tokens is not None:
        size = {"batch.tokens": data.batch_tokens * ranks}
    problems = data.problems["train"]
    if data.curriculum is not None:
        levels = items_by_level(problems).items()
        told = ", ".join(f"{len(items)} of level {level}" for level, items in levels)
        size |= {"problems.levels": told}
    if weights := data.source.weights:
        size |= {"problems.weights": shares_told(weights)}
    return size | {"problems.number": len(problems), "problems.digest": fingerprint_of(problems)}
