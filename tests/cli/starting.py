"""Commands in processes of their own, forked from one that has imported everything."""

import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path

LIMIT = 240
"""Seconds after which a process is taken to hang."""
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["reasonrft.cli.training_cli", "tests.cli.starting"])


class Started:
    """A command under way; what it says on standard error goes into a file."""

    def __init__(self, args: list[str], folder: Path, **environment: str) -> None:
        self.said = folder / "said.txt"
        self.process: ForkServerProcess = _SERVER.Process(
            target=run_command, args=(args, folder, self.said, environment)
        )
        self.process.start()

    def __enter__(self) -> "Started":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.join()

    def send(self, number: int) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def wait_for(self, what: Callable[[], bool]) -> None:
        end = time.monotonic() + LIMIT
        while not what():
            assert self.process.exitcode is None and time.monotonic() < end, self.text()
            time.sleep(0.02)

    def text(self) -> str:
        return self.said.read_text() if self.said.exists() else ""

    def end(self) -> tuple[int, str]:
        """Its exit code, and what it has said."""
        self.process.join(LIMIT)
        assert self.process.exitcode is not None, f"hangs: {self.text()}"
        return self.process.exitcode, self.text()


def run_command(args: list[str], folder: Path, said: Path, environment: dict[str, str]) -> None:
    """In a folder, with all that it says in a file; benchmarks/faults.py starts it so too."""
    os.chdir(folder)
    os.environ.update(environment)
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.argv = ["reasonrft", *args]
    # What it starts itself, it starts as it would from a terminal.
    multiprocessing.set_start_method("fork", force=True)
    from reasonrft.cli import main

    main(args)
