"""What faults.py puts into the runs that it kills: marks of where they stand, and aimed kills."""

import os
import signal
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint

from reasonrft.problems import Problem
from reasonrft.rewards import Reward

ROOT = Path(__file__).resolve().parents[1]
MARKS = "fault_marks.Marking"
SPREAD = {"writing": 0.03, "epoch": 0.05, "step": 0.06, "results": 0.3}
"""Most seconds between what a kill aims at and the kill."""


class Capitals(Reward):
    """Share of capital letters; a random model writes some."""

    def reward(self, completion: str, problem: Problem) -> float:
        return sum(sign.isupper() for sign in completion) / (1 + len(completion))


class Marks:
    """A file with the steps that one start of a run has begun with, done, and saved."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, what: str, step: int) -> None:
        with self.path.open("a") as file:
            file.write(f"{what} {step}\n")

    def begun(self) -> int | None:
        return next(iter(self._steps("begun")), None)

    def done(self) -> int | None:
        return max(self._steps("done"), default=self.begun())

    def saved(self) -> int:
        return max(self._steps("saved"), default=0)

    def _steps(self, what: str) -> list[int]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [int(line.split()[1]) for line in lines if line.startswith(what)]


class Marking(Checkpoint):
    """Leaves marks, and kills its own process as planned: `AIM STEP DELAY STEPS`.

    A Checkpoint, so that it comes after those that save.
    """

    def __init__(self) -> None:
        self.marks = Marks(Path(os.environ["FAULTS_MARKS"]))
        self.aim, step, delay, steps = (os.environ["FAULTS_PLAN"] or "none 0 0 0").split()
        self.step, self.delay, self.steps = int(step), float(delay), int(steps)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.marks.add("begun", trainer.global_step)

    def on_train_batch_start(self, trainer: Trainer, *args: Any) -> None:
        self._mark_saved(trainer)
        self._kill_at("step", trainer)

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        self._mark_saved(trainer)
        self.marks.add("done", trainer.global_step)
        if trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            self._kill_at("epoch", trainer)
        if trainer.global_step >= self.steps:
            self._kill_at("results", trainer)

    def on_save_checkpoint(self, trainer: Trainer, *args: Any) -> None:
        self._kill_at("writing", trainer)

    def _mark_saved(self, trainer: Trainer) -> None:
        """The step that `--ckpt_path last` finds; the best checkpoint is none of those."""
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint) and callback.save_last:
                self.marks.add("saved", callback._last_global_step_saved)

    def _kill_at(self, aim: str, trainer: Trainer) -> None:
        if aim == self.aim and trainer.global_step >= self.step:
            delay = self.delay * SPREAD[aim]
            threading.Timer(delay, os.kill, [os.getpid(), signal.SIGKILL]).start()
            self.aim = "none"


def run_apart(args: list[str], *process: Any) -> None:
    """A command in a process of its own, as in one that the tests start."""
    starting = _of_tests("starting")
    starting.call_apart(starting.run_command, (args,), *process)


def save_policy(folder: Path) -> None:
    """The small random model that the tests use."""
    _of_tests("policy.families").save_family("qwen3-vl", folder)


def _of_tests(name: str) -> Any:
    sys.path.append(str(ROOT))
    return import_module(f"tests.{name}")
