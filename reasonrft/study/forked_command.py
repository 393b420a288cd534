"""One command in a process of its own, forked from one that has imported everything.

Importing torch, transformers and Lightning takes longer than what a small run does.
"""

import importlib
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any, TypeVar

from reasonrft.errors import BadInput

Result = TypeVar("Result")
POLL = 0.5
_FORK = multiprocessing.get_context("fork")


def preload(policy: str) -> None:
    """Import what runs need; nothing may be computed before the last fork.

    Args:
        policy: The model that they start from.
    """
    import reasonrft.cli.training_cli  # noqa: F401
    from reasonrft.policy.hub_paths import resolve

    with suppress(OSError, ValueError, KeyError, ImportError):
        config = Path(resolve(policy)) / "config.json"
        kind = json.loads(config.read_bytes())["model_type"]
        importlib.import_module(f"transformers.models.{kind}.modeling_{kind}")


def start(args: list[str], log: Path, threads: int) -> ForkProcess:
    """Begin a command, which writes what it says to the end of a file."""
    process = _FORK.Process(target=_run, args=(args, log, threads, os.getpid()))
    process.start()
    return process


def _run(args: list[str], log: Path, threads: int, parent: int) -> None:
    # A terminal's Ctrl-C is the study's, which tells its runs to save what they have.
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)
    _write_to(log)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    import torch

    torch.set_num_threads(threads)
    from reasonrft.cli import main

    # From which other ranks are started.
    sys.argv = [str(Path(sys.executable).with_name("reasonrft")), *args]
    main(args)


def _write_to(log: Path) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(file, number)
    os.close(file)


def _end_with(parent: int) -> None:
    """A study that is killed cannot tell its runs, which save what they have all the same."""
    while os.getppid() == parent:
        time.sleep(POLL)
    os.kill(os.getpid(), signal.SIGTERM)


def result_of(function: Callable[..., Result], *args: Any) -> Result:
    """What a function returns in a process of its own; its BadInput is raised here."""
    here, there = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_send, args=(there, function, args))
    process.start()
    there.close()
    try:
        kind, value = here.recv()
    except EOFError:
        process.join()
        raise BadInput(f"{function.__name__} has ended with {process.exitcode}") from None
    process.join()
    if kind == "fault":
        raise BadInput(value)
    return value


def _send(there: Connection, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        there.send(("result", function(*args)))
    except (BadInput, OSError) as error:
        there.send(("fault", str(error)))
