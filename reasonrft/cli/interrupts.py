"""Ending a run by a signal, whatever a reward is doing meanwhile."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE = 5.0
"""Seconds in which loggers are closed and other processes told, before all ends."""


class Interrupted(SystemExit):
    """A signal arrived; the code is a shell's, 128 and the signal's number."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """End the process by SIGINT and SIGTERM; a thread that hangs does not hold it back."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return
    before = {number: signal.signal(number, _interrupt) for number in SIGNALS}
    try:
        yield
    except Interrupted as error:
        leave(error.number)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: Any) -> None:
    for again in SIGNALS:
        signal.signal(again, lambda number, frame: leave(number))
    # What is under way may wait for a reward that never ends.
    late = threading.Timer(PATIENCE, leave, [number])
    late.daemon = True
    late.start()
    raise Interrupted(number)


def leave(number: int) -> NoReturn:
    """End the process at once: an ordinary exit waits for all threads."""
    name = signal.Signals(number).name
    print(f"reasonrft: ended by {name}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(128 + number)
