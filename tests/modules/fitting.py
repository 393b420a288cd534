"""Fine-tuning of a small random model on a few problems."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from reasonrft.datamodules import CountingDataModule
from reasonrft.modules import SFTModule
from reasonrft.policy import Policy
from reasonrft.problems import Problem
from reasonrft.rewards import Reward
from tests.datamodules.reading import MadeUp, made_up, quiet

PROBLEMS = [
    made_up(number, source=("even", "odd")[number % 2]) for number in (2, 9, 4, 1, 7, 3, 12, 6)
]

PAIRS = [
    replace(
        p, meta={"chosen": f"{p.cot} <answer>{p.answer}</answer>", "rejected": "None."[: 2 + at]}
    )
    for at, p in enumerate(PROBLEMS)
]
"""Of the same problems; no two completions are of one length."""


class Capitals(Reward):
    """Share of capital letters; a random model writes some."""

    def reward(self, completion: str, problem: Problem) -> float:
        return sum(sign.isupper() for sign in completion) / (1 + len(completion))


class Even(Reward):
    """Right is what has an even number of letters."""

    marks_right = True

    def reward(self, completion: str, problem: Problem) -> float:
        return float(len(completion) % 2 == 0)


def module(
    folder: Path, lr: float = 0.05, row_tokens: int | None = None, **policy: Any
) -> SFTModule:
    return SFTModule(
        Policy(str(folder), **policy),
        lambda params: torch.optim.SGD(params, lr),
        row_tokens=row_tokens,
    )


def data(**options: Any) -> CountingDataModule:
    return CountingDataModule(MadeUp(PROBLEMS), **options)


def fit(
    one: SFTModule, batches: dict[str, Any], ckpt_path: str | None = None, **trainer: Any
) -> Trainer:
    runner = quiet(**{"max_epochs": 2, **trainer})
    runner.fit(one, data(**batches), ckpt_path=ckpt_path)
    return runner


class Losses(Callback):
    """Every logged loss, by step."""

    def __init__(self, name: str = "train/loss") -> None:
        self.name = name
        self.by_step: dict[int, float] = {}

    def on_train_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        if self.name in trainer.callback_metrics:
            self.by_step[trainer.global_step] = float(trainer.callback_metrics[self.name])


def weights(one: SFTModule) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in one.policy.named_parameters()}


def difference(first: dict[str, Tensor], second: dict[str, Tensor]) -> float:
    assert first.keys() == second.keys()
    return max(float((first[name].float() - second[name].float()).abs().max()) for name in first)
