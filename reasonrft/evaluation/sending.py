"""Sending requests until they are answered, or it is clear that they will not be."""

import os
import random
import threading
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from reasonrft.errors import BadInput
from reasonrft.evaluation.chat_messages import Reply, read_reply, said_in
from reasonrft.evaluation.pace import Pace
from reasonrft.evaluation.posting import Response, Unreachable, post

PATH = "/chat/completions"
PASSING = (408, 409, 425, 429)
"""Statuses, beside those from 500 on, after which it is worth asking again."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why one try gave no answer."""

    message: str
    passing: bool = False
    wait: float | None = None
    """Seconds that the endpoint wants to be left alone."""


class Sender:
    """Posts to one address from several threads, with patience."""

    def __init__(
        self,
        url: str | None,
        key_variable: str,
        retries: int,
        waits: tuple[float, float],
        timeout: float,
        pace: Pace,
    ) -> None:
        self.url = url
        self.key_variable, self.retries, self.timeout = key_variable, retries, timeout
        self.first_wait, self.longest_wait = waits
        self.pace = pace
        self.over = threading.Event()
        """Set when one request has failed for good, so that others do not go on waiting."""
        self.sent = 0
        self._lock = threading.Lock()

    @cached_property
    def target(self) -> str:
        """Where to post to; `BadInput` if that is no address."""
        return full_address(self.url)

    @property
    def address(self) -> str:
        """The target as it can be shown: a query may hold a key."""
        return self.target.partition("?")[0]

    def send(self, body: dict[str, Any]) -> Reply:
        """The answer to a request, or `BadInput`."""
        tries = 0
        while True:
            self.pace.wait(self.over)
            outcome = self._try(body)
            if isinstance(outcome, Reply):
                return outcome
            tries += 1
            wait = self._wait(outcome, tries)
            if not outcome.passing:
                raise BadInput(outcome.message)
            if tries > self.retries or wait > self.longest_wait:
                raise BadInput(_given_up(outcome, tries))
            if outcome.wait is not None:
                self.pace.pause(wait)  # for all threads: the endpoint means all of them
            self.over.wait(wait)

    def _try(self, body: dict[str, Any]) -> Reply | Fault:
        if self.over.is_set():
            return Fault("another request has failed")
        with self._lock:
            self.sent += 1
        try:
            response = post(self.target, body, self._headers(), self.timeout)
        except Unreachable as error:
            return Fault(f"no answer from {self.address} ({error})", passing=True)
        if response.status != 200:
            return self._fault(response)
        try:
            return read_reply(response.content())
        except ValueError:
            begins = response.body[:40].decode(errors="replace")
            return Fault(
                f"{self.address} answers with something that is no chat completion, "
                f"beginning with {begins!r}: is the address right?"
            )

    def _fault(self, response: Response) -> Fault:
        said = said_in(response.content())
        told = f"{response.status}: {said}" if said else str(response.status)
        if response.status in (401, 403):
            known = "refuses the key in" if self._key() else "wants a key in the variable"
            return Fault(f"{self.address} {known} {self.key_variable} ({told})")
        passing = response.status >= 500 or response.status in PASSING
        wait = response.retry_after() if passing else None
        return Fault(f"{self.address} answers {told}", passing, wait)

    def _wait(self, fault: Fault, tries: int) -> float:
        """As long as the endpoint says, or else doubled each time and a little at random."""
        if fault.wait is not None:
            return fault.wait
        return min(self.longest_wait, self.first_wait * 2 ** (tries - 1)) * random.uniform(0.75, 1)

    def _headers(self) -> dict[str, str]:
        key = self._key()
        return {"Authorization": f"Bearer {key}"} if key else {}

    def _key(self) -> str:
        key = os.environ.get(self.key_variable, "").strip()
        if not (key.isascii() and key.isprintable()):
            # Python's own message would show it.
            raise BadInput(f"the key in {self.key_variable} has characters that no key has")
        return key


def _given_up(fault: Fault, tries: int) -> str:
    wanted = f" and {fault.wait:.0f} s to wait" if fault.wait else ""
    return (
        f"{fault.message}; given up after {tries} tries{wanted}: what is answered so far is "
        "kept, and the same command goes on from there"
    )


def full_address(url: str | None) -> str:
    """Where completions are asked for at an endpoint."""
    if not url:
        raise BadInput("which endpoint? Give its address: --endpoint https://api.openai.com/v1")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise BadInput(f"endpoint {url!r} is not an address like https://api.openai.com/v1")
    path = parts.path.rstrip("/") or "/v1"
    path = path if path.endswith(PATH) else path + PATH
    return parts._replace(path=path, fragment="").geturl()
