"""A short run of GRPO with callbacks, whose completions are given."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from reasonrft.callbacks import (
    BeforeAndAfter,
    HostMemory,
    ReasoningMonitor,
    SampleGallery,
    TrainingCurves,
)
from reasonrft.datamodules import CountingDataModule
from reasonrft.modules import GRPOModule
from reasonrft.policy import Policy, PromptBatch
from reasonrft.problems import Problem
from reasonrft.rewards import AccuracyReward, FormatReward
from reasonrft.rollout import LocalEngine, Rollout, Sampling
from reasonrft.tasks import CountingTask
from tests.datamodules.reading import MadeUp, made_up, quiet

HOSTILE = (
    '<script>alert(1)</script> <!-- end --> | **bold** ![x](http://x.example/x.png)\n# "Title"'
)
GROUP = ["<think>one two three</think><answer>{answer}</answer>", HOSTILE, HOSTILE, "<think>one"]
"""What is said to have been answered: right, wrong, wrong, and wrong."""


class Scripted(LocalEngine):
    """Returns given texts in the place of those that it has sampled."""

    def generate(self, batch: PromptBatch, group_size: int, *args: Any, **options: Any) -> Rollout:
        rollout = super().generate(batch, group_size, *args, **options)
        if group_size == 1:  # evaluation
            return rollout
        texts = [[text.format(answer=p.answer) for text in GROUP] for p in batch.problems]
        return replace(rollout, texts=texts)


class EvenSum(CountingTask):
    """Right is what a random model may say: bytes that add up to an even number with the answer."""

    def accuracy(self, completion: str, problem: Problem) -> float:
        return float((sum(completion.encode()) + int(problem.answer)) % 2 == 0)


def watching() -> list[Callback]:
    return [
        ReasoningMonitor(histogram_every=2),
        HostMemory(),
        SampleGallery(every=2, prompts=1, keep=3),
        BeforeAndAfter(),
        TrainingCurves(),
    ]


def module(folder: Path) -> GRPOModule:
    return GRPOModule(
        Policy(str(folder)),
        {"accuracy": AccuracyReward(), "format": FormatReward(weight=0.5)},
        group_size=len(GROUP),
        sampling=Sampling(max_tokens=8),
        optimizer=lambda params: torch.optim.SGD(params, 2.0),
        engine=Scripted(),
        answer_tokens=8,
        seed=3,
    )


def data() -> CountingDataModule:
    """Eight problems to learn from, and splits to be tested on."""
    splits = {"id": range(20, 30), "ood-domain": range(30, 36)}
    source = MadeUp(
        [made_up(number) for number in range(1, 9)],
        **{split: [made_up(number) for number in numbers] for split, numbers in splits.items()},
    )
    val_splits = ["id", "ood*"]
    return CountingDataModule(
        source, EvenSum(), batch_size=2, eval_batch_size=4, val_splits=val_splits
    )


def run(
    folder: Path, home: Path, callbacks: Sequence[Callback], steps: int, **options: Any
) -> GRPOModule:
    """Train for so many steps, the last checkpoint's included where one is given."""
    ckpt_path, problems = options.pop("ckpt_path", None), options.pop("data", None) or data()
    one, checkpoints = module(folder), ModelCheckpoint(home, save_last=True, save_top_k=0)
    trainer = quiet(
        default_root_dir=home,
        max_steps=steps,
        max_epochs=-1,
        logger=[TensorBoardLogger(home, "tensorboard"), CSVLogger(home, "csv")],
        enable_checkpointing=True,
        callbacks=[*callbacks, checkpoints],
        log_every_n_steps=1,
        val_check_interval=2,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        **options,
    )
    trainer.fit(one, problems, ckpt_path=ckpt_path)
    trainer.save_checkpoint(home / "end.ckpt")
    return one


def run_on_two(folder: Path, home: Path) -> None:
    run(folder, home, watching(), steps=2, devices=2, strategy="ddp_fork")
