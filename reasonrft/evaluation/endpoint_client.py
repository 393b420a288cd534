"""Asking an OpenAI-compatible endpoint: GPT-4o, Gemini, or a vLLM server."""

import asyncio
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from reasonrft.conversation import Message
from reasonrft.errors import BadInput
from reasonrft.evaluation.chat_messages import Reply, read_reply, write_messages
from reasonrft.evaluation.endpoint_address import split_address
from reasonrft.evaluation.endpoint_errors import (
    NoReply,
    connection_fault,
    no_completion,
    status_fault,
    strike_out,
)
from reasonrft.evaluation.reply_cache import ReplyCache, request_key
from reasonrft.problems import Problem
from reasonrft.run_async import run_async, together

if TYPE_CHECKING:
    from openai import AsyncOpenAI

Asked = tuple[Problem, str, Mapping[str, Any]]
"""A problem, what the user says of it, and further fields of the request."""
NO_FIELDS: Mapping[str, Any] = {}

_MOST_SILENCES = 10
"""Times the timeout that a whole answer may take, however it trickles."""


@final
class Endpoint:
    """A model behind `/v1/chat/completions`, asked greedily unless a request says otherwise."""

    def __init__(
        self,
        url: str | None,
        model: str,
        key_variable: str = "OPENAI_API_KEY",
        concurrency: int = 8,
        requests_per_minute: float | None = None,
        retries: int = 5,
        timeout: float = 120.0,
        prices: tuple[float, float] = (0.0, 0.0),
        request: dict[str, Any] | None = None,
        omit: Sequence[str] = (),
        cache: str = "outputs/replies",
    ) -> None:
        """
        Args:
            url: Address of the endpoint, such as https://api.openai.com/v1.
            model: Name of the model there.
            key_variable: Environment variable that holds the key, if one is needed.
            concurrency: Requests at the same time.
            requests_per_minute: Most requests in a minute, per process.
            retries: How often to ask again after 408, 409, 429, 5xx, or no answer.
            timeout: Seconds of silence after which a request is given up.
            prices: Of a million tokens of prompts, and of answers.
            request: Further fields of each request.
            omit: Fields that this endpoint does not take: max_tokens, temperature.
            cache: Folder of replies, so that none is paid for twice.
        """
        _check_range("concurrency", concurrency, concurrency >= 1, "1 or more")
        _check_range("retries", retries, retries >= 0, "0 or more")
        _check_range("timeout", timeout, timeout > 0, "more than 0")
        pace = requests_per_minute
        _check_range("requests_per_minute", pace, pace is None or pace > 0, "more than 0")
        self.base_url, self.query = split_address(url, key_variable)
        self.model, self.key_variable = model, key_variable
        self.concurrency, self.retries, self.timeout = concurrency, retries, timeout
        self.prices = prices
        self.request, self.omit = dict(request or {}), tuple(omit)
        self.cache = ReplyCache(Path(cache))
        self.replies_paid = self.prompt_tokens = self.answer_tokens = 0
        """Of replies that were not in the cache."""
        self.requests_sent = 0
        self._interval = 60 / pace if pace else 0.0
        self._next_request = 0.0

    @property
    def address(self) -> str:
        """Where requests go, as it can be shown."""
        return f"{self.base_url}/chat/completions"

    @property
    def cost(self) -> float:
        """What this run has cost, at `prices`."""
        return self.price(self.prompt_tokens, self.answer_tokens)

    def price(self, prompt_tokens: float, answer_tokens: float) -> float:
        prompt_price, answer_price = self.prices
        return (prompt_tokens * prompt_price + answer_tokens * answer_price) / 1e6

    @property
    def longest_turn(self) -> float:
        """Seconds that a request may wait because of `requests_per_minute`."""
        return self.concurrency * self._interval

    def ask_all(
        self,
        problems: Sequence[Problem],
        texts: Sequence[str],
        max_tokens: int,
        fields: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[Reply]:
        """Answers to several problems; a request that fails for good ends all of them.

        Args:
            problems: The problems.
            texts: What the user says of each.
            max_tokens: Most tokens of an answer.
            fields: Further fields of each request, which make it another one for the cache also
                where the endpoint does not take them.
        """
        given = [NO_FIELDS] * len(problems) if fields is None else fields
        prompts = list(zip(problems, texts, given, strict=True))
        return run_async(self._ask_all(prompts, max_tokens))

    async def _ask_all(self, prompts: list[Asked], max_tokens: int) -> list[Reply]:
        free = asyncio.Semaphore(self.concurrency)

        async def ask(problem: Problem, text: str, fields: Mapping[str, Any]) -> Reply:
            async with free:
                body = self.body(write_messages(problem, text), max_tokens, fields)
                return await self.reply(client, body, fields)

        async with self.client() as client:
            return await together(ask(*prompt) for prompt in prompts)

    async def reply(
        self, client: "AsyncOpenAI", body: dict[str, Any], fields: Mapping[str, Any] = NO_FIELDS
    ) -> Reply:
        """From the cache, if the same was asked before, with the same fields."""
        key = self.key({**body, **fields})
        reply = self.cache.read(key)
        if reply is not None:
            return reply
        reply = await self._send(client, body)
        self.cache.write(key, reply)
        self.replies_paid += 1
        self.prompt_tokens += reply.prompt_tokens
        self.answer_tokens += reply.tokens
        return reply

    def key(self, body: dict[str, Any]) -> str:
        """What tells a request from all others."""
        return request_key(self.address, body)

    def body(
        self, messages: list[Message], max_tokens: int, fields: Mapping[str, Any] = NO_FIELDS
    ) -> dict[str, Any]:
        body = {"model": self.model, "messages": messages, "max_tokens": max_tokens}
        whole = {**body, "temperature": 0, **fields, **self.request}
        return {name: value for name, value in whole.items() if name not in self.omit}

    async def _send(self, client: "AsyncOpenAI", body: dict[str, Any]) -> Reply:
        from openai import APIConnectionError, APIStatusError, Omit

        where, key = self.address, self._key()
        create = client.chat.completions.with_raw_response.create
        headers: Any = {} if key else {"Authorization": Omit()}
        try:
            response = await create(
                model=self.model,
                messages=body["messages"],
                extra_body=body,
                extra_headers=headers,
            )
        # None of these is chained: a traceback would show what the server says, a key among it.
        except APIStatusError as error:
            fault = status_fault(error, where, str(body["model"]), self.key_variable, key)
            raise fault from None
        except APIConnectionError as error:
            raise NoReply(connection_fault(error, where, self.timeout)) from None
        except OSError as error:
            raise NoReply(f"no answer from {where} ({error})") from None
        try:
            return read_reply(json.loads(strike_out(response.text, key)))
        except (ValueError, RecursionError):
            raise no_completion(response.text, where, key) from None

    def client(self) -> "AsyncOpenAI":
        """A client of the openai package, which waits and tries again by its own rules."""
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        return AsyncOpenAI(
            base_url=self.base_url,
            default_query=self.query,
            api_key=self._key() or "none",
            max_retries=self.retries,
            timeout=self.timeout,
            http_client=DefaultAsyncHttpxClient(
                # A redirect would take the question, and perhaps the key, to another host.
                follow_redirects=False,
                # A small compressed answer may be a huge one.
                headers={"Accept-Encoding": "identity"},
                event_hooks={"request": [self._wait_for_turn], "response": [self._bound]},
            ),
        )

    async def _wait_for_turn(self, request: Any) -> None:
        """Keep requests, repeated ones too, apart by the interval of `requests_per_minute`."""
        now = time.monotonic()
        turn = max(self._next_request, now)
        self._next_request = turn + self._interval
        await asyncio.sleep(turn - now)
        self.requests_sent += 1

    async def _bound(self, response: Any) -> None:
        """Give up an answer that is endless, in size or in time, before it is read."""
        from reasonrft.evaluation.bounded_stream import BoundedStream

        response.stream = BoundedStream(response.stream, _MOST_SILENCES * self.timeout)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise OSError("a compressed answer, which was not asked for")

    def _key(self) -> str:
        key = os.environ.get(self.key_variable, "").strip()
        if not (key.isascii() and key.isprintable()):
            # The message of the HTTP client would show it.
            raise BadInput(f"the key in {self.key_variable} has characters that no key has")
        return key


def _check_range(name: str, value: Any, fits: bool, accepted: str) -> None:
    if not fits:
        raise BadInput(f"endpoint: {name}={value} is out of range; use {accepted}")
