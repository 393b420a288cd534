"""Which server is asked: the least busy first, one that does not answer later."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from reasonrft.errors import BadInput
from reasonrft.evaluation.endpoint_address import split_address

MOST_REST = 30.0
"""Seconds after which a replica that did not answer is tried again, at the latest."""


@dataclass
class Replica:
    """One server, and what is known of it."""

    url: str
    in_flight: int = 0
    requests: int = 0
    failures: int = 0
    """In a row."""
    rests_until: float = 0.0
    fault: str = ""
    """The last one."""
    base: str = ""
    """The name of its model."""
    root: str = ""
    """Where its model was loaded from."""
    longest: int = 0
    """Most tokens of prompt and completion."""
    holds: str = ""
    """The weights that it is known to hold."""
    admitted: bool = False
    """Whether it has passed the parity check."""
    scaled: bool = False
    """Whether its log-probs are of what it samples from: scaled by temperature, without bans."""
    suspect: bool = True
    """Whether it may have been restarted since that check."""

    @contextmanager
    def busy(self) -> Iterator[None]:
        self.in_flight += 1
        self.requests += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    def rest(self, fault: object) -> None:
        """Leave it out for a while, the longer the more often it has failed.

        Requests that fail together are one failure.
        """
        now = time.monotonic()
        if self.rests_until <= now:
            self.failures += 1
            self.rests_until = now + rest_seconds(self.failures)
        self.fault = str(fault)
        self.lost_weights()

    def lost_weights(self) -> None:
        self.holds, self.suspect = "", True

    def recognize(self, model: dict[str, Any]) -> None:
        """Remember what a server says it serves, and refuse another model than before."""
        root = str(model.get("root"))
        if self.root and root != self.root:
            raise BadInput(f"{self.url} was restarted with {root} instead of {self.root}")
        self.base, self.root = model["id"], root
        self.longest = int(model.get("max_model_len") or 0)

    def answered(self) -> None:
        self.failures, self.rests_until, self.fault = 0, 0.0, ""


def rest_seconds(failures: int) -> float:
    return min(MOST_REST, 0.25 * 2**failures)


def least_busy(replicas: Sequence[Replica], now: float) -> Replica | None:
    """The replica with fewest requests in flight, and of several the one that has had fewest."""
    awake = [replica for replica in replicas if replica.rests_until <= now]
    return min(awake, key=lambda replica: (replica.in_flight, replica.requests), default=None)


def doubtful(replicas: Sequence[Replica], now: float) -> list[Replica]:
    """Servers that answer, and may have been restarted since they were checked."""
    return [one for one in replicas if one.suspect and one.rests_until <= now]


def make_replicas(urls: Sequence[str], key_variable: str) -> list[Replica]:
    if not urls:
        raise BadInput("the engine has no server: give its urls, such as [http://localhost:8000]")
    bases = [split_address(url, key_variable)[0].removesuffix("/v1") for url in urls]
    if len(set(bases)) < len(bases):
        raise BadInput(f"the engine's urls name a server twice: {', '.join(urls)}")
    return [Replica(base) for base in bases]
