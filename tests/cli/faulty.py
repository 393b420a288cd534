"""Callbacks, rewards and losses through which a run meets its end."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from reasonrft.problems import Problem
from reasonrft.rewards import Reward


class Signalled(Callback):
    """Sends a signal to its own process before a batch (-1: before training), on one rank."""

    def __init__(self, number: int, batch: int, rank: int = 0) -> None:
        self.number, self.batch, self.rank = number, batch, rank

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.send(trainer, -1)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.send(trainer, trainer.fit_loop.epoch_loop.total_batch_idx)

    def send(self, trainer: Trainer, batch: int) -> None:
        if (batch, trainer.global_rank) == (self.batch, self.rank):
            os.kill(os.getpid(), self.number)


class Hanging(Reward):
    """Never comes back in one step; leaves a file when it is asked."""

    def __init__(self, step: int = 0) -> None:
        super().__init__()
        self.step = step

    def reward_group(self, completions: Any, problem: Problem, step: int) -> list[float]:
        if step == self.step:
            Path("asked").touch()
            time.sleep(3600)
        return [float(len(text)) for text in completions]


class Raising(Reward):
    """Fails in one step."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def reward_group(self, completions: Any, problem: Problem, step: int) -> list[float]:
        if step == self.step:
            raise ValueError("no such unit")
        return [float(len(text)) for text in completions]


class WorkerKilled(Callback):
    """Kills a process that loads data before a batch."""

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.fit_loop.epoch_loop.total_batch_idx == self.batch:
            import psutil

            for child in psutil.Process().children():
                os.kill(child.pid, signal.SIGKILL)
