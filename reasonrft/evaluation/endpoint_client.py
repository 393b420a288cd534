"""Asking an OpenAI-compatible endpoint: GPT-4o, Gemini, or a vLLM server."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, final

from reasonrft.evaluation.chat_messages import Reply, write_messages
from reasonrft.evaluation.pace import Pace
from reasonrft.evaluation.reply_cache import ReplyCache, request_key
from reasonrft.evaluation.sending import Sender
from reasonrft.problems import Problem


@final
class Endpoint:
    """A model behind `/v1/chat/completions`, asked greedily."""

    def __init__(
        self,
        url: str | None,
        model: str,
        key_variable: str = "OPENAI_API_KEY",
        concurrency: int = 8,
        requests_per_minute: float | None = None,
        retries: int = 5,
        first_wait: float = 1.0,
        longest_wait: float = 120.0,
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
            retries: How often to ask again after 429, 5xx, or no answer.
            first_wait: Seconds before asking again, doubled each time.
            longest_wait: Most seconds to wait; an endpoint that demands more is given up.
            timeout: Seconds of silence after which a request is given up.
            prices: Of a million tokens of prompts, and of answers.
            request: Further fields of each request.
            omit: Fields that this endpoint does not take: max_tokens, temperature.
            cache: Folder of replies, so that none is paid for twice.
        """
        self.model, self.concurrency, self.prices = model, concurrency, prices
        self.request, self.omit = dict(request or {}), tuple(omit)
        waits = first_wait, longest_wait
        pace = Pace(requests_per_minute)
        self.sender = Sender(url, key_variable, retries, waits, timeout, pace)
        self.cache = ReplyCache(Path(cache))
        self.paid: list[Reply] = []
        """Replies that were not in the cache."""

    @property
    def cost(self) -> float:
        """What this run has cost, at `prices`."""
        asking, answering = self.prices
        return sum(r.prompt_tokens * asking + r.tokens * answering for r in self.paid) / 1e6

    def ask_all(
        self, problems: Sequence[Problem], texts: Sequence[str], max_tokens: int
    ) -> list[Reply]:
        """Answers to several problems; what fails for good ends all of them."""
        over = self.sender.over = threading.Event()
        with ThreadPoolExecutor(self.concurrency) as pool:
            pairs = zip(problems, texts, strict=True)
            futures = [pool.submit(self.ask, *pair, max_tokens) for pair in pairs]
            try:
                return [future.result() for future in futures]
            except BaseException:
                over.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def ask(self, problem: Problem, text: str, max_tokens: int) -> Reply:
        """The answer to one problem; from the cache, if the same was asked before."""
        messages = write_messages(problem, text)
        body = {"model": self.model, "messages": messages, "max_tokens": max_tokens}
        fields = {**body, "temperature": 0, **self.request}
        body = {name: value for name, value in fields.items() if name not in self.omit}
        key = request_key(self.sender.target, body)
        reply = self.cache.read(key)
        if reply is None:
            reply = self.sender.send(body)
            self.cache.write(key, reply)
            self.paid.append(reply)
        return reply
