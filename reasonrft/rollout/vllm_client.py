"""Requests to the replicas of a server: the least busy first, those that do not answer later."""

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from reasonrft.errors import BadInput
from reasonrft.evaluation.chat_messages import error_text
from reasonrft.evaluation.endpoint_address import split_address
from reasonrft.evaluation.endpoint_errors import strike_out

MOST_REST = 30.0
"""Seconds after which a replica that did not answer is tried again, at the latest."""
_LONGEST = 300
_TRY_AGAIN = (408, 409, 425, 429, 500, 502, 503, 504)
_GLANCE = 20.0
"""Seconds for what a server answers at once, unless its engine has died and it hangs."""
_DEAD = "EngineCore"
"""In the answer of a server whose engine has died, and that is about to end."""


class Fault(Exception):
    """A request without the answer that was wanted."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(": ".join(filter(None, (str(status or ""), reason))))
        self.status, self.reason = status, reason


class Unreachable(Fault):
    """No answer, or one that says to come back: the same request may succeed later."""


class Refused(Fault):
    """An answer that will be the same next time."""


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


def make_replicas(urls: Sequence[str], key_variable: str) -> list[Replica]:
    if not urls:
        raise BadInput("the engine has no server: give its urls, such as [http://localhost:8000]")
    bases = [split_address(url, key_variable)[0].removesuffix("/v1") for url in urls]
    if len(set(bases)) < len(bases):
        raise BadInput(f"the engine's urls name a server twice: {', '.join(urls)}")
    return [Replica(base) for base in bases]


@dataclass(frozen=True)
class Limits:
    """Seconds that may pass."""

    connect: float
    request: float
    patience: float
    """Without an answer from any replica."""


class Client:
    """Calls within one event loop."""

    def __init__(self, limits: Limits, key_variable: str) -> None:
        self.limits, self._key = limits, os.environ.get(key_variable, "").strip()
        headers = {"Accept-Encoding": "identity"}
        self.locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """Of each replica, while its weights are loaded."""
        self._http = httpx2.AsyncClient(
            headers=headers | ({"Authorization": f"Bearer {self._key}"} if self._key else {}),
            timeout=httpx2.Timeout(limits.request, connect=limits.connect, pool=None),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
            follow_redirects=False,
        )

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.aclose()

    async def get(self, replica: Replica, path: str) -> Any:
        return await self._call("GET", replica, path, min(_GLANCE, self.limits.request))

    async def post(self, replica: Replica, path: str, body: Any = None) -> Any:
        return await self._call("POST", replica, path, self.limits.request, body)

    async def load(self, replica: Replica, path: str, body: Any) -> Any:
        """Post what a server answers with 500 if it cannot do it, now or later."""
        try:
            return await self.post(replica, path, body)
        except Unreachable as fault:
            if fault.status == 500 and _DEAD not in str(fault):
                raise Refused(500, fault.reason) from None
            raise

    async def _call(
        self, method: str, replica: Replica, path: str, seconds: float, body: Any = None
    ) -> Any:
        """The answer as JSON, or as text where it is none."""
        try:
            async with asyncio.timeout(seconds):
                response = await self._http.request(method, replica.url + path, json=body)
        except (TimeoutError, httpx2.TimeoutException) as error:
            slow = "no connection" if isinstance(error, httpx2.ConnectTimeout) else "no answer"
            raise Unreachable(0, f"{slow} in time") from None
        except httpx2.HTTPError as error:
            raise Unreachable(0, " ".join(str(error).split()) or type(error).__name__) from None
        content = _json(response)
        if response.status_code == 200:
            replica.answered()
            return response.text if content is None else content
        reason = strike_out(error_text(content) or response.reason_phrase, self._key)[:_LONGEST]
        if response.status_code in _TRY_AGAIN:
            raise Unreachable(response.status_code, reason)
        raise Refused(response.status_code, reason)


def _json(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None
