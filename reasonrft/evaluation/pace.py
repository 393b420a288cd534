"""Asking no faster than one may."""

import threading
import time


class Pace:
    """Spreads requests of several threads over time."""

    def __init__(self, per_minute: float | None = None) -> None:
        """
        Args:
            per_minute: Most requests in a minute; any number if not given.
        """
        self.interval = 60 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self, over: threading.Event) -> None:
        """Return when the next request may be sent, or when all is over."""
        with self._lock:
            turn = max(self._next, time.monotonic())
            self._next = turn + self.interval
        over.wait(max(0.0, turn - time.monotonic()))

    def pause(self, seconds: float) -> None:
        """Let no request begin before so many seconds have gone."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)
