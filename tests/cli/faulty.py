"""Callbacks, rewards and losses through which a run meets its end."""

import math
import os
import signal
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import psutil
from lightning.pytorch import Callback, LightningModule, Trainer

from reasonrft.cli import preemption
from reasonrft.problems import Problem
from tests.modules.fitting import Capitals


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


class Faulty(Capitals):
    """Does not pay in one step, until a file says that it is mended."""

    def __init__(self, step: int = 0) -> None:
        super().__init__()
        self.step = step

    def reward_group(self, completions: Any, problem: Problem, step: int) -> list[float]:
        if step == self.step and not Path("mended").exists():
            self.fail()
        return super().reward_group(completions, problem, step)

    def fail(self) -> None:
        raise ValueError("no such unit")


class Hanging(Faulty):
    """Never comes back; leaves a file when it is asked. A shorter grace ends the wait for it."""

    def __init__(self, step: int = 0, grace: float = preemption.GRACE) -> None:
        super().__init__(step)
        preemption.GRACE = grace

    def fail(self) -> None:
        Path("asked").touch()
        time.sleep(3600)


class Hurt(Callback, ABC):
    """Does some harm before a batch, until a file says that it is mended."""

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        at = trainer.fit_loop.epoch_loop.total_batch_idx
        if at == self.batch and not Path("mended").exists():
            self.harm(pl_module, batch)

    @abstractmethod
    def harm(self, module: Any, batch: Any) -> None:
        """Before this batch."""


class WorkerKilled(Hurt):
    """Kills the processes that load data."""

    def harm(self, module: Any, batch: Any) -> None:
        for child in psutil.Process().children():
            if "symbolic_worker" not in " ".join(child.cmdline()):
                os.kill(child.pid, signal.SIGKILL)
        time.sleep(1)  # the loader has to notice it within this batch


class NotFinite(Hurt):
    """Makes one gradient of the next update infinite, and the loss not."""

    def harm(self, module: Any, batch: Any) -> None:
        value = next(value for value in module.policy.parameters() if value.requires_grad)
        handle = value.register_hook(lambda gradient: (handle.remove(), gradient * math.inf)[1])


class LossNotFinite(Hurt):
    """Makes the images of one batch no numbers."""

    def harm(self, module: Any, batch: Any) -> None:
        examples = batch if isinstance(batch, list) else batch.prompts
        for example in examples:
            prompt = getattr(example, "prompt", example)
            prompt.inputs["pixel_values"] *= math.nan
