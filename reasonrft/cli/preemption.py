"""Training that is told to end: the step in flight is finished, and what was done is saved.

SIGTERM and SIGUSR1 are what a cluster sends before it takes a machine away. A run that a fault
ends is saved in the same way, as it was before the step in flight.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loops.fit_loop import _FitLoop
from lightning.pytorch.plugins.environments import SLURMEnvironment
from lightning.pytorch.trainer.connectors.signal_connector import _SignalConnector
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch.optim import Optimizer

from reasonrft.cli.interrupts import (
    PATIENCE,
    exit_code_of,
    interrupt,
    leave,
    leave_later,
    say,
)
from reasonrft.cli.run_faults import fault_from_outside, is_of_ranks, watch_ranks
from reasonrft.distributed.ranks import all_gather, all_here
from reasonrft.errors import BadInput
from reasonrft.modules import ReasoningModule

PREEMPTING = (signal.SIGTERM, signal.SIGUSR1)
SAME = 1.0
"""Seconds in which a signal that comes again is the same one, sent by two senders."""


class Preemption(Callback):
    """Ends training after the step in which a signal came; a second one ends it at once.

    Other ranks stop at the same step, whoever of them was told. A reward that is still at work
    after some seconds is given up, and with it the step.
    """

    def __init__(self) -> None:
        self.told: dict[int, float] = {}
        """Signals, and when they came."""
        self.note = ""
        """What was saved, and how to go on, once training has been ended."""
        self._place: dict[str, Any] = {}
        self._begun = self._step = 0
        self._updating = self._rescuing = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        watch_ranks(trainer)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begun = trainer.global_step
        self._remember(trainer)
        self._module = pl_module

    def on_train_batch_start(self, *args: Any) -> None:
        # Not any earlier: while all is as it was when the run began, a signal ends it at once.
        _handle(PREEMPTING, self._notice)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        _handle(PREEMPTING, interrupt)  # what follows can be done again

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        self._updating = True

    def on_train_batch_end(self, trainer: Trainer, *args: Any) -> None:
        # In the middle of an accumulation only a run that cannot wait any longer stops.
        whole = not trainer.fit_loop.epoch_loop._should_accumulate()
        if whole:
            self._remember(trainer)
        late = any(time.monotonic() - since > PATIENCE for since in self.told.values())
        self._stop_together(trainer, bool(self.told) and (whole or late))

    def on_validation_batch_end(self, trainer: Trainer, *args: Any) -> None:
        if trainer.world_size == 1:  # others may have fewer batches
            self._stop_together(trainer, bool(self.told))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stop_together(trainer, bool(self.told))

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        if isinstance(exception, SIGTERMException | Exception) and self._place:
            self.note = self._rescue(trainer, pl_module, exception)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if self._rescuing:
            checkpoint |= self._place

    def explain(self, error: Exception) -> BadInput | None:
        """A fault in one sentence, if it is one of those that have one, with what is saved."""
        known = str(error) if isinstance(error, BadInput) else fault_from_outside(error)
        if known is None:
            if self.note:
                error.add_note(f"reasonrft: {self.note.removeprefix('; ')}")
            return None
        return BadInput(known + self.note)

    def ending(self, trainer: Trainer) -> SystemExit:
        """How a run ends that was told to."""
        number = next(iter(self.told), signal.SIGTERM)
        if trainer.is_global_zero:
            say(f"ended by {signal.Signals(number).name}{self.note}")
            if _requeues(trainer, self.told):
                _requeue()
        leave_later(number)
        # The first rank has started the others, and ends them if one of them fails.
        return SystemExit(exit_code_of(number) if trainer.is_global_zero else 0)

    def _stop_together(self, trainer: Trainer, wanted: bool) -> None:
        if any(all_gather(wanted)):
            # Lightning ends the run where it has dealt with this batch.
            trainer._signal_connector.received_sigterm = True

    def _notice(self, number: int, frame: Any) -> None:
        now = time.monotonic()
        if number in self.told and now - self.told[number] > SAME:
            leave(number)
        if not self.told:
            say(
                f"{signal.Signals(number).name}: the step in flight is finished, and saved; again, "
                "and the run ends at once"
            )
            late = threading.Timer(PATIENCE, self._give_up_rewards)
            late.daemon = True
            late.start()
        self.told.setdefault(number, now)

    def _give_up_rewards(self) -> None:
        self._module.rewards_given_up = True  # type: ignore[assignment]

    def _remember(self, trainer: Trainer) -> None:
        """Where training stands between two steps, beside its weights."""
        self._step, self._updating = trainer.global_step, False
        self._place = {
            "epoch": trainer.current_epoch,
            "global_step": trainer.global_step,
            "loops": deepcopy(trainer._checkpoint_connector._get_loops_state_dict()),
        }

    def _rescue(self, trainer: Trainer, module: LightningModule, exception: BaseException) -> str:
        """Save what was remembered, if weights are still those of that time; say what is saved."""
        saving = [c for c in _model_checkpoints(trainer) if c.save_last]
        if not saving:
            return "; nothing was saved: no ModelCheckpoint with save_last is in trainer.callbacks"
        kept = any(c._last_global_step_saved == self._step for c in saving)
        if self._step > self._begun and not kept:
            half = self._updating and not isinstance(exception, BadInput)
            if trainer.global_step != self._step or half or is_of_ranks(exception):
                return ""
            if not all_here(PATIENCE / 2):
                return ""
            if isinstance(module, ReasoningModule):
                module.discard_step()
            self._rescuing = True
            saving[0]._save_last_checkpoint(trainer, saving[0]._monitor_candidates(trainer))
        return f"; step {self._step} is saved, and --ckpt_path last goes on from it"


class WholeFitLoop(_FitLoop):
    """Does what comes after the last step also where a run was ended between the two."""

    @classmethod
    def of(cls, trainer: Trainer) -> "WholeFitLoop":
        given = trainer.fit_loop
        loop = cls(trainer, given.min_epochs, given.max_epochs)
        loop.epoch_loop = given.epoch_loop
        return loop

    @property
    def skip(self) -> bool:
        return self.trainer.limit_train_batches == 0 or self.max_batches == 0


class QuietSignals(_SignalConnector):
    """Leaves signals to the command line.

    Lightning's handlers would save, and speak to other ranks, in the middle of whatever is done.
    """

    def register_signal_handlers(self) -> None:
        self.received_sigterm = False


def requeued() -> bool:
    """Whether SLURM has started this job before, and its run goes on."""
    return SLURMEnvironment.detect() and int(os.environ.get("SLURM_RESTART_COUNT", 0)) > 0


def _handle(numbers: tuple[signal.Signals, ...], handler: Any) -> None:
    if threading.current_thread() is threading.main_thread():
        for number in numbers:
            signal.signal(number, handler)


def _model_checkpoints(trainer: Trainer) -> Iterator[ModelCheckpoint]:
    return (c for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint))


def _requeues(trainer: Trainer, told: dict[int, float]) -> bool:
    """Whether SLURM is to start this job again, as Lightning's plugin for it has been set."""
    environment: Any = trainer._accelerator_connector.cluster_environment
    return (
        isinstance(environment, SLURMEnvironment)
        and environment.auto_requeue
        and environment.requeue_signal in told
    )


def _requeue() -> None:
    job = os.environ["SLURM_JOB_ID"]
    if array := os.environ.get("SLURM_ARRAY_JOB_ID"):
        job = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        subprocess.run(["scontrol", "requeue", job], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        say(f"SLURM did not take job {job} back into its queue ({error}): submit it again")
