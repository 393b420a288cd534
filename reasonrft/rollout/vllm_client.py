"""Requests to one server, and the ways in which they fail."""

import asyncio
import os
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import httpx2

from reasonrft.evaluation.chat_messages import error_text
from reasonrft.evaluation.endpoint_errors import strike_out
from reasonrft.rollout.replicas import Replica

_LONGEST = 300
_TRY_AGAIN = (408, 409, 425, 429, 500, 502, 503, 504)
_GLANCE = 20.0
"""Seconds for what a server answers at once, unless its engine has died and it hangs."""
_BETWEEN = 10.0
"""Seconds between two looks at whether a server is alive, while it samples."""
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

    async def post_watched(self, replica: Replica, path: str, body: Any) -> Any:
        """Post what takes long, for as long as the server shows that it is alive."""
        asking = asyncio.ensure_future(self.post(replica, path, body))
        watching = asyncio.ensure_future(self._watch(replica))
        try:
            await asyncio.wait({asking, watching}, return_when=asyncio.FIRST_COMPLETED)
            return await asking if asking.done() else await watching
        finally:
            for task in (asking, watching):
                task.cancel()
            await asyncio.gather(asking, watching, return_exceptions=True)

    async def _watch(self, replica: Replica) -> None:
        """Ends by a fault, once a server has not answered twice: its engine may have died."""
        missed = 0
        while missed < 2:
            await asyncio.sleep(_BETWEEN)
            try:
                await self.get(replica, "/health")
                missed = 0
            except Refused:  # an answer too
                missed = 0
            except Unreachable:
                missed += 1
        raise Unreachable(0, "it answers nothing, not even /health")

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
