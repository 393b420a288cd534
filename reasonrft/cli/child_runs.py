"""Commands of this package in processes of their own, side by side, each with its log.

They are forked from this process, which has imported what they need; it computes nothing itself,
for threads that compute do not survive a fork.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from reasonrft.cli.interrupts import SIGNALS, Interrupted, exit_code_of, say
from reasonrft.errors import BadInput

POLL = 0.05
PATIENCE = 60.0
"""Seconds for a run that is told to end; it may be answering problems, or writing much."""
LOCK_PATIENCE = 90.0
"""Seconds in which the runs of a parent that was killed end, before others begin."""
SAME = 1.0
"""Seconds in which a signal that comes again is the same one, sent by two senders."""
TOLD = [exit_code_of(number) for number in SIGNALS]
_PR_SET_PDEATHSIG = 1


@contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """Hold a lock that runs inherit, so that those of a parent that was killed are waited for.

    Args:
        folder: What only one may write into.
        what: Who writes, such as a study.
    """
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waited = f"waiting for the {what}, or for its last runs, that write into {folder}"
        print(waited, flush=True)
        try:
            lock.acquire(timeout=LOCK_PATIENCE)
        except Timeout as error:
            raise BadInput(f"another {what} is writing into {folder}: wait for its end") from error
    try:
        yield
    finally:
        lock.release()


class ChildRun:
    """A command under way, in a session of its own: Ctrl-C reaches it only from its parent."""

    def __init__(self, args: Sequence[str], log: Path, threads: int | None = None) -> None:
        self.args, self.log = list(args), log
        self._begun = time.monotonic()
        context = multiprocessing.get_context("fork")
        job = (self.args, log, threads, os.getpid())
        self._process = context.Process(target=_run, args=job)
        log.parent.mkdir(parents=True, exist_ok=True)
        self._written = log.stat().st_size if log.exists() else 0
        sys.stdout.flush()
        sys.stderr.flush()
        # What arrives before the child has left this process's handlers waits for that.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    @property
    def exit_code(self) -> int | None:
        """A shell's, 128 and the signal's number where one ended it; None while it runs."""
        code = self._process.exitcode
        return 128 - code if code is not None and code < 0 else code

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun

    @property
    def last_words(self) -> str:
        """How it has ended: a signal, its sentence, or the last line of its traceback."""
        code = self.exit_code or 0
        if code > 128:
            return f"ended by {signal.Signals(code - 128).name}"
        text = self.log.read_bytes()[self._written :] if self.log.exists() else b""
        lines = [line for line in text.decode(errors="replace").splitlines() if line.strip()]
        sentences = [line for line in lines if line.startswith("reasonrft: ")]
        said = (sentences or lines or [f"exit code {code}"])[-1]
        return said.removeprefix("reasonrft: ").strip()

    def end(self) -> None:
        """Tell it to end; training saves the step in flight."""
        if self.exit_code is None:
            os.kill(self._id, signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, and all that it has started."""
        if self.exit_code is None:
            self._process.kill()
            with suppress(ProcessLookupError):  # it had not yet made its session
                os.killpg(self._id, signal.SIGKILL)
            self._process.join()

    @property
    def _id(self) -> int:
        assert self._process.pid is not None
        return self._process.pid


class ChildRuns:
    """Starts commands and waits for them; SIGINT, SIGTERM and SIGUSR1 end all of them well.

    Use it in a `with` statement, which nothing that it started outlives.
    """

    def __init__(self, jobs: int = 1) -> None:
        """
        Args:
            jobs: How many run side by side: each has its share of the processor's cores, unless
                OMP_NUM_THREADS says otherwise.
        """
        # For the processes that are forked from this one.
        import reasonrft.cli.training_cli  # noqa: F401

        cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
        self.threads = max(1, (cores or 1) // jobs)
        self.running: list[ChildRun] = []
        self._told: list[int] = []
        self._last = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "ChildRuns":
        self._before = {number: signal.signal(number, self._notice) for number in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        for child in self.running:
            child.kill()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def start(self, args: Sequence[str], log: Path) -> ChildRun:
        """Start `reasonrft ARGS`; what it prints and says is added to a file."""
        child = ChildRun(args, log, None if "OMP_NUM_THREADS" in os.environ else self.threads)
        self.running.append(child)
        return child

    def run(self, args: Sequence[str], log: Path) -> ChildRun:
        """Start a command and wait for its end."""
        child = self.start(args, log)
        while child in self.running:
            self.wait()
        return child

    def wait(self) -> list[ChildRun]:
        """Those that have ended, as soon as there are any.

        Where a signal came, all are told to end; then this raises `Interrupted`.
        """
        while not self._told:
            if ended := [child for child in self.running if child.exit_code is not None]:
                if any(child.exit_code in TOLD for child in ended) and self._is_told_soon():
                    break
                self.running = [child for child in self.running if child not in ended]
                return ended
            time.sleep(POLL)
        self._end_all()
        raise Interrupted(self._told[0])

    def _is_told_soon(self) -> bool:
        """Whether who has told a child to end tells this process too."""
        end = time.monotonic() + SAME
        while not self._told and time.monotonic() < end:
            time.sleep(POLL)
        return bool(self._told)

    def _end_all(self) -> None:
        number = signal.Signals(self._told[0]).name
        say(f"{number}: ending what runs, which saves its step in flight; again ends it at once")
        for child in self.running:
            child.end()
        end = time.monotonic() + PATIENCE
        while any(child.exit_code is None for child in self.running):
            if len(self._told) > 1 or time.monotonic() > end:
                return  # leaving the `with` statement kills what is left
            time.sleep(POLL)

    def _notice(self, number: int, frame: Any) -> None:
        now = time.monotonic()
        if not self._told or now - self._last > SAME:
            self._told.append(number)
            self._last = now


def _run(args: list[str], log: Path, threads: int | None, parent: int) -> None:
    """The child: apart from its parent but for ending with it, and with threads of its own."""
    os.setsid()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    _end_with(parent)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for standard in (1, 2):
        os.dup2(file, standard)
    os.close(file)
    _compute_here(args, threads)
    # From which other ranks are started.
    sys.argv = [str(Path(sys.executable).with_name("reasonrft")), *args]
    from reasonrft.cli import main

    main(args)


def _compute_here(args: list[str], threads: int | None) -> None:
    import torch

    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(threads)  # of what is started from here
        torch.set_num_threads(threads)
    if torch.cuda._is_in_bad_fork():  # something has asked the driver of GPUs before
        os.execv(sys.executable, [sys.executable, "-m", "reasonrft", *args])


def _end_with(parent: int) -> None:
    """Be told to end when the parent is killed, where the system can do that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            raise SystemExit(128 + signal.SIGTERM)
