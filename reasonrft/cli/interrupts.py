"""Ending a run by a signal, whatever a reward is doing meanwhile."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
PATIENCE = 5.0
"""Seconds in which loggers are closed and other processes told, before all ends."""

RANKS: list[subprocess.Popen[Any]] = []
"""Processes that this one has started to train with it: they do not outlive it."""


class Interrupted(SystemExit):
    """A signal arrived."""

    def __init__(self, number: int) -> None:
        super().__init__(exit_code_of(number))
        self.number = number


def exit_code_of(number: int) -> int:
    """A shell's, 128 and the signal's number; SIGUSR1 announces SIGTERM, and ends as that does."""
    return 128 + (signal.SIGTERM if number == signal.SIGUSR1 else number)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """End the process by a signal; a thread that hangs does not hold it back."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return
    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    except Interrupted as error:
        leave(error.number)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupt(number: int, frame: Any) -> None:
    """Leave what is under way, which must not take long."""
    for again in SIGNALS:
        signal.signal(again, lambda number, frame: leave(number))
    leave_later(number)
    raise Interrupted(number)


def leave_later(number: int) -> None:
    """End the process when loggers have had their time: what goes on may wait for ever."""
    late = threading.Timer(PATIENCE, leave, [number])
    late.daemon = True
    late.start()


def leave(number: int) -> NoReturn:
    """End the process at once: an ordinary exit waits for all threads."""
    say(f"ended by {signal.Signals(number).name}")
    end_at_once(exit_code_of(number))


def end_at_once(code: int) -> NoReturn:
    """Without waiting for anything; processes that train with this one end too."""
    for process in RANKS:
        process.kill()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def say(sentence: str) -> None:
    """On standard error, also from within whatever is being printed there."""
    os.write(2, f"reasonrft: {sentence}\n".encode())
