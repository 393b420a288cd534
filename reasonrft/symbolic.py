"""Symbolic agreement by math-verify, which untrusted text cannot make hang.

Parsing LaTeX and simplifying what comes out can take minutes, or all memory, on ten characters,
partly in C code that no signal interrupts. So it happens in a process of its own, which is killed
when its time is up. That works on every thread, where math-verify's own timer does not.
"""

import atexit
import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

MAX_LENGTH = 10_000
MAX_NESTING = 60
MAX_KNOWN = 2_048
START_SECONDS = 60.0
# The worker's own timer goes first, because a worker that answers need not be started again.
SOFT_SHARE = 0.8

log = logging.getLogger(__name__)


@dataclass
class _Batch:
    """What the checks of one batch share."""

    deadline: float = float("inf")
    unanswered: int = 0


_batch: ContextVar[_Batch | None] = ContextVar("batch", default=None)


class SymbolicVerifier:
    """One worker process, and the patience that one pair of texts may cost."""

    def __init__(self, limit: float = 3.0) -> None:
        """
        Args:
            limit: Seconds that one pair may take, and a batch under `batch_limit` altogether.
        """
        self.limit = limit
        self.lock = threading.Lock()
        self.worker: _Worker | None = None
        self.known: dict[tuple[str, str], bool] = {}

    def agree(self, first: str, second: str) -> bool:
        """Whether `verify(parse(first), parse(second))` holds, and is known in time."""
        if _hostile(first) or _hostile(second):
            return False
        if (first, second) in self.known:
            return self.known[first, second]
        batch = _batch.get() or _Batch()
        patient = time.monotonic() + self.limit
        deadline = min(patient, batch.deadline)
        answer = None
        if self.lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            try:
                answer = self._ask(first, second, deadline)
            finally:
                self.lock.release()
        batch.unanswered += answer is None
        if answer is not None or deadline == patient:
            self._remember(first, second, bool(answer))
        return bool(answer)

    def _remember(self, first: str, second: str, answer: bool) -> None:
        """Groups repeat themselves, and what has cost its limit once must not cost it again."""
        if len(self.known) >= MAX_KNOWN:
            self.known.clear()
        self.known[first, second] = answer

    def _ask(self, first: str, second: str, deadline: float) -> bool | None:
        if self.worker is None or self.worker.owner != os.getpid():
            self.worker = _Worker()
            waited = time.monotonic()
            if not self.worker.wait_ready(waited + START_SECONDS):
                raise RuntimeError("the process that runs math-verify does not start")
            deadline += time.monotonic() - waited
        if not self.worker.wait_ready(deadline):
            return None
        seconds = deadline - time.monotonic()
        if seconds <= 0:
            return None
        line = self.worker.ask(first, second, seconds)
        if not line:
            self.worker.close()
            self.worker = _Worker()
            return None
        return json.loads(line)

    def close(self) -> None:
        if self.worker is not None:
            self.worker.close()
            self.worker = None


class _Worker:
    """The process, and a thread that turns its lines into a queue."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.ready = False
        root = str(Path(__file__).resolve().parents[1])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "reasonrft.symbolic_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def wait_ready(self, deadline: float) -> bool:
        if not self.ready:
            self.ready = self._line(deadline) == "ready\n"
        return self.ready

    def ask(self, first: str, second: str, seconds: float) -> str:
        """The line with the worker's verdict, or nothing if it does not answer in time."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps([seconds * SOFT_SHARE, first, second]) + "\n")
            self.process.stdin.flush()
        except OSError:
            return ""
        return self._line(time.monotonic() + seconds)

    def _line(self, deadline: float) -> str:
        try:
            return self.lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return ""

    def close(self) -> None:
        if self.owner != os.getpid():
            return
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            # What was still to be written to a dead process fails once more on closing.
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()


@contextmanager
def batch_limit(seconds: float | None = None) -> Iterator[None]:
    """Within it, all symbolic checks together end by one deadline; later ones do not agree."""
    seconds = VERIFIER.limit if seconds is None else seconds
    batch = _Batch(time.monotonic() + seconds)
    token = _batch.set(batch)
    try:
        yield
    finally:
        _batch.reset(token)
        if batch.unanswered:
            log.warning("%d symbolic checks not done in %g s: no credit", batch.unanswered, seconds)


def expressions_agree(answer: str, gold: str) -> bool:
    """Whether two expressions are equal as mathematics."""
    return VERIFIER.agree(_as_mathematics(gold), _as_mathematics(answer))


def _as_mathematics(text: str) -> str:
    return text if "$" in text or "\\boxed" in text else f"${text}$"


def _hostile(text: str) -> bool:
    """Cheap signs of text that would only cost time: length, and brackets without end."""
    if len(text) > MAX_LENGTH:
        return True
    depth = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if depth > MAX_NESTING:
            return True
    return False


VERIFIER = SymbolicVerifier()
atexit.register(VERIFIER.close)
