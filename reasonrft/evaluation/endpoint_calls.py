"""Calls of an endpoint that go on while the caller does something else.

They run in one event loop, in a thread of its own that begins with the first call. What is asked
twice at the same time is asked once.
"""

import asyncio
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reasonrft.conversation import Message
from reasonrft.evaluation.chat_messages import Reply
from reasonrft.evaluation.endpoint_client import Endpoint
from reasonrft.evaluation.endpoint_errors import NoReply

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_PATIENCE = 5.0
"""Seconds that calls have to end once nobody waits for them."""


@dataclass(frozen=True)
class Answered:
    """A reply, and whether this call paid for it."""

    reply: Reply
    paid: bool


class EndpointCalls:
    """Calls of one endpoint; threads may begin them side by side."""

    def __init__(self, endpoint: Endpoint, seconds: float, max_tokens: int) -> None:
        """
        Args:
            endpoint: Who is asked.
            seconds: Seconds that a call may take, with all that is tried again.
            max_tokens: Most tokens of a reply.
        """
        self.endpoint, self.seconds, self.max_tokens = endpoint, seconds, max_tokens
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        # Of the loop's thread alone:
        self._clients: list[AsyncOpenAI] = []
        self._free = asyncio.Semaphore(endpoint.concurrency)
        self._in_flight: dict[str, asyncio.Task[Reply]] = {}

    def begin(self, write: Callable[[], list[Message] | None]) -> "Future[Answered | None]":
        """Begin a call; returns at once.

        Args:
            write: What to say, or None to ask nothing. It may take time, in a thread of its own.
        """
        return asyncio.run_coroutine_threadsafe(self._ask(write), self._running())

    def give_up(self) -> None:
        """End all calls that go on."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(_cancel_all, self._loop)

    async def _ask(self, write: Callable[[], list[Message] | None]) -> Answered | None:
        messages = await asyncio.to_thread(write)
        if messages is None:
            return None
        body = self.endpoint.body(messages, self.max_tokens)
        key = self.endpoint.key(body)
        if asked := self._in_flight.get(key):
            return Answered(await asyncio.shield(asked), paid=False)
        if kept := self.endpoint.cache.read(key):
            return Answered(kept, paid=False)
        asked = self._in_flight[key] = asyncio.ensure_future(self._reply(body))
        asked.add_done_callback(lambda _: self._in_flight.pop(key))
        return Answered(await asyncio.shield(asked), paid=True)

    async def _reply(self, body: dict) -> Reply:
        async with self._free:
            if not self._clients:
                self._clients.append(self.endpoint.client())
            try:
                async with asyncio.timeout(self.seconds + self.endpoint.longest_turn):
                    return await self.endpoint.reply(self._clients[0], body)
            except TimeoutError:
                where = self.endpoint.address
                raise NoReply(f"no answer from {where} within {self.seconds:g} s") from None

    def _running(self) -> asyncio.AbstractEventLoop:
        """The loop, whose thread ends with this object or with the process."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                # A thread that knew this object would keep it.
                of_thread = self._loop, self._clients
                thread = threading.Thread(
                    target=_run, args=of_thread, name="endpoint calls", daemon=True
                )
                thread.start()
                weakref.finalize(self, _end, self._loop, thread)
            return self._loop


def _run(loop: asyncio.AbstractEventLoop, clients: "list[AsyncOpenAI]") -> None:
    """Until it is stopped; then what is still asked is given up."""
    asyncio.set_event_loop(loop)
    loop.run_forever()
    tasks = _cancel_all(loop)
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    for client in clients:
        loop.run_until_complete(client.close())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def _cancel_all(loop: asyncio.AbstractEventLoop) -> set[asyncio.Task]:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    return tasks


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    with suppress(RuntimeError):  # closed already
        loop.call_soon_threadsafe(loop.stop)
    if thread is not threading.current_thread():
        thread.join(_PATIENCE)
