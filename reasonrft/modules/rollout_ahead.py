"""One step of asynchrony: the next rollout is sampled while the policy learns from this one.

    step k    take rollout k               sampled in step k - 1, by the weights of its start
              sync weights                 the engine has those that step k begins with
              begin rollout k + 1          in a thread, until step k + 1 takes it
              update                       rollout k is one step old: importance weights correct

What the ranks do together (sync, faults) is done in the thread that trains, in this order on all.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

from lightning.pytorch import Trainer
from torch import Tensor

from reasonrft.errors import BadInput
from reasonrft.modules.step_metrics import Stopwatch
from reasonrft.policy.encoder import PromptBatch
from reasonrft.problems import Problem
from reasonrft.rollout import Rollout, RolloutEngine


@dataclass(frozen=True)
class Sampled:
    """A rollout, its rewards, and the clock that timed both."""

    rollout: Rollout
    rewards: dict[str, Tensor]  # each (P, G)
    clock: Stopwatch
    tried: list[tuple[Problem, float]]
    """Each problem that was sampled, those that others took the place of too, and the share of its
    completions that were right (nan where no reward tells)."""
    work: Mapping[str, float]
    """What rewards did, on this rank."""


def check_runs_ahead(engine: RolloutEngine, async_steps: int) -> None:
    """Refuse more than one step, and an engine that needs the weights that are being updated."""
    if async_steps not in (0, 1):
        raise BadInput(f"async_steps must be 0 or 1, not {async_steps}")
    if async_steps and not engine.runs_apart:
        raise BadInput(
            f"async_steps: 1 samples while the policy updates, and {type(engine).__name__} samples "
            "with the weights that are updated: take an engine that runs apart, such as a server's"
        )


def upcoming_batch(trainer: Trainer, batch_idx: int, updates: int) -> PromptBatch | None:
    """The next step's batch, if there is a next step; this one's updates are still to be done."""
    steps, epochs = trainer.max_steps, trainer.max_epochs
    if 0 <= steps <= trainer.global_step + updates:
        return None
    ends_epoch = batch_idx + 1 >= trainer.num_training_batches
    if ends_epoch and epochs is not None and 0 <= epochs <= trainer.current_epoch + 1:
        return None
    loader: Any = trainer.train_dataloader
    if not hasattr(loader, "peek"):
        raise BadInput(
            f"async_steps: 1 needs the next batch early, and {type(loader).__name__} has no peek: "
            "take a datamodule of reasonrft, or a loader like its ResumableLoader"
        )
    return loader.peek(ends_epoch)


class RolloutAhead:
    """At most one rollout that is under way, or waits to be taken."""

    def __init__(self) -> None:
        self._ready = ExitStack()
        self._call: _Call | None = None

    def begin(
        self,
        ready: AbstractContextManager[None],
        batch: PromptBatch,
        sample: Callable[[], Sampled],
    ) -> None:
        """Sample in a thread.

        Args:
            ready: What is entered before, and left when the rollout is there; all ranks enter it.
            batch: What is sampled for.
            sample: Samples, and asks nothing of other ranks.
        """
        self._ready.enter_context(ready)
        self._call = _Call(batch, sample)

    def wait(self) -> None:
        """Until nothing is under way: then the engine can serve others, and take new weights."""
        if self._call is not None:
            self._call.finished.wait()
        self._ready.close()

    def discard(self) -> None:
        """Drop what was sampled and not taken."""
        self.wait()
        self._call = None

    def take(self, batch: PromptBatch) -> Sampled | None:
        """What was sampled for this batch, if anything was; a fault of the thread is raised."""
        self.wait()
        call, self._call = self._call, None
        return None if call is None else call.result(batch)


class _Call:
    """Sampling in a thread, which is a daemon: none that hangs keeps the process alive."""

    def __init__(self, batch: PromptBatch, sample: Callable[[], Sampled]) -> None:
        self.batch, self.sample = batch, sample
        self.sampled: Sampled | None = None
        self.error: BaseException | None = None
        self.finished = threading.Event()
        threading.Thread(target=self._run, name="rollout ahead", daemon=True).start()

    def _run(self) -> None:
        try:
            self.sampled = self.sample()
            self.sampled.clock.phase(None)
        except BaseException as error:  # raised by whoever takes the rollout
            self.error = error
        finally:
            self.finished.set()

    def result(self, batch: PromptBatch) -> Sampled | None:
        if self.error is not None:
            raise self.error
        ids, expected = ([p.id for p in given.problems] for given in (batch, self.batch))
        if ids != expected:
            raise BadInput(
                f"the rollout is of problems {', '.join(expected)}, and the batch that came of "
                f"{', '.join(ids)}: the training loader's peek must give the batch that comes next"
            )
        return self.sampled
