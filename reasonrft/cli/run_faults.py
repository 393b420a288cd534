"""What happens to a run from outside: processes that load data, or train with it, die."""

import os
import re
import signal
import threading
import time
from typing import Any

from lightning.fabric.strategies.launchers.subprocess_script import _ChildProcessObserver
from lightning.pytorch import Trainer
from torch import distributed

from reasonrft.cli.interrupts import PATIENCE, RANKS, end_at_once, say

POLL = 0.5
_DEAD_WORKER = re.compile(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\)")
_DEAD_RANK = re.compile(r"Connection (closed|reset) by peer|Broken pipe|gloo|NCCL", re.IGNORECASE)


def fault_from_outside(error: BaseException) -> str | None:
    """What a RuntimeError of torch is about, in a sentence; None if it is about something else."""
    if found := _DEAD_WORKER.search(str(error)):
        return (
            f"a process that loads data (pid {found[1]}) has died, as it does when the system runs "
            "out of memory: use fewer data.workers, or give it more memory"
        )
    if is_of_ranks(error):
        return "another process that trains with this one has ended, and says why if it could"
    return None


def is_of_ranks(error: BaseException) -> bool:
    """Whether other ranks could not be reached."""
    if not distributed.is_initialized():
        return False
    return isinstance(error, distributed.DistError) or (
        isinstance(error, RuntimeError) and bool(_DEAD_RANK.search(str(error)))
    )


def watch_ranks(trainer: Trainer) -> None:
    """End this process when one dies that trains with it on this machine.

    Lightning's own observer kills all without a word, so fast that none can say what happened.
    """
    RANKS[:] = getattr(trainer.strategy.launcher, "procs", [])
    for thread in threading.enumerate():
        if isinstance(thread, _ChildProcessObserver):
            thread._run = lambda: True  # type: ignore[method-assign]
    launched = not trainer._accelerator_connector.cluster_environment.creates_processes_externally
    if trainer.world_size > 1 and launched:
        threading.Thread(
            target=_watch, args=(trainer.local_rank, os.getppid()), daemon=True
        ).start()


def _watch(local_rank: int, parent: int) -> None:
    while True:
        time.sleep(POLL)
        codes = [process.poll() for process in RANKS]
        if local_rank > 0 and os.getppid() != parent:
            died = "the first process of this run has ended"
        elif any(codes):
            rank, code = next((rank, code) for rank, code in enumerate(codes, 1) if code)
            died = f"process {rank} of this run {_how(code)}"
        else:
            continue
        # It may be known here too, and told better.
        time.sleep(PATIENCE / 2)
        say(f"{died}: the others end with it")
        end_at_once(1)


def _how(code: Any) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"has failed ({code})"
