"""Programs in processes of their own, forked from one that has imported everything.

Importing torch, transformers and Lightning takes longer than what most of them do.
"""

import fcntl
import multiprocessing
import os
import runpy
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

LIMIT = 240
"""Seconds after which a process is taken to hang."""
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.preloaded"])


class Forked:
    """A call under way; what it prints and says goes into two files of its folder."""

    def __init__(
        self, folder: Path, call: Callable[..., None], *args: Any, **environment: str
    ) -> None:
        self.printed, self.said = folder / "printed.txt", folder / "said.txt"
        files = (self.printed, self.said)
        self.process: ForkServerProcess = _SERVER.Process(
            target=call_apart, args=(call, args, folder, files, os.environ | environment)
        )
        self.process.start()

    def __enter__(self) -> "Forked":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.join()
        with suppress(ProcessLookupError):  # what it has started
            os.killpg(self._id, signal.SIGKILL)

    @property
    def _id(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def send(self, number: int) -> None:
        os.kill(self._id, number)

    def wait_for(self, what: Callable[[], bool]) -> None:
        end = time.monotonic() + LIMIT
        while not what():
            assert self.process.exitcode is None and time.monotonic() < end, self.text()
            time.sleep(0.02)

    def text(self) -> str:
        return self.said.read_text() if self.said.exists() else ""

    def has_printed(self, text: str) -> bool:
        return self.printed.exists() and text in self.printed.read_text()

    def end(self, seconds: float = LIMIT) -> tuple[int, str]:
        """Its exit code, and what it and all that it has started have said."""
        end = time.monotonic() + seconds
        self.process.join(seconds)
        while self.process.exitcode is None or not _is_closed(self.said):
            assert time.monotonic() < end, f"hangs: {self.text()}"
            time.sleep(0.02)
        return self.process.exitcode, self.text()

    def result(self, seconds: float = LIMIT) -> str:
        """What it has printed, if it ends well in time."""
        with self:
            code, said = self.end(seconds)
        assert code == 0, said[-4000:]
        return self.printed.read_text()


class Started(Forked):
    """A command under way."""

    def __init__(self, args: list[str], folder: Path, **environment: str) -> None:
        super().__init__(folder, run_command, args, **environment)


def _is_closed(file: Path) -> bool:
    """Whether nobody has it open who was forked from the one who has locked it."""
    with file.open() as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def call_apart(
    call: Callable[..., None],
    args: tuple[Any, ...],
    folder: Path,
    files: tuple[Path, Path],
    environment: Mapping[str, str],
) -> None:
    """As in a program of its own."""
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(files, 1):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        fcntl.flock(file, fcntl.LOCK_EX)
        os.dup2(file, number)
        os.close(file)
    # What it starts itself, it starts as it would from a terminal.
    multiprocessing.set_start_method("fork", force=True)
    call(*args)


def run_command(args: list[str]) -> None:
    """In this process, which other ranks are started from as by the installed command."""
    sys.argv = [str(Path(sys.executable).with_name("reasonrft")), *args]
    from reasonrft.cli import main

    main(args)


def run_file(path: Path, args: list[str]) -> None:
    """`python PATH ARGS`."""
    sys.argv = [str(path), *args]
    sys.path.insert(0, str(path.parent))
    runpy.run_path(str(path), run_name="__main__")
