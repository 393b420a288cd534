"""The replicas together: weights are delivered to all, each prompt is answered by one.

A replica that does not answer rests, and others take its requests. One that has lost its weights,
because it was restarted, is given them before it answers. Where none is left, the pool waits.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from reasonrft.distributed.ranks import rank
from reasonrft.errors import BadInput, Stopped
from reasonrft.rollout.engine import Completion
from reasonrft.rollout.replicas import Replica, least_busy
from reasonrft.rollout.served_weights import ServedWeights
from reasonrft.rollout.vllm_client import Client, Limits, Refused, Unreachable
from reasonrft.rollout.vllm_questions import Question, ask, list_models
from reasonrft.run_async import run_async, together

T = TypeVar("T")

OnAnswered = Callable[[int, list[Completion]], None]

_GLANCE = 0.1
"""Seconds between two looks at what is waited for."""


class ServerPool:
    """Asks replicas, and keeps them in step with one version of the weights."""

    def __init__(
        self,
        replicas: Sequence[Replica],
        limits: Limits,
        key_variable: str,
        should_stop: Callable[[], bool],
    ) -> None:
        self.replicas, self.limits, self.key_variable = replicas, limits, key_variable
        self.should_stop = should_stop
        self.weights: ServedWeights | None = None
        self.work: dict[str, float] = defaultdict(float)
        """What was done, under names that a rollout reports."""

    def deliver(self, before: ServedWeights | None = None) -> None:
        """Let all replicas that answer hold the weights instead of others; at least one does."""
        self._run(lambda client: self._deliver(client, before))

    def ask(
        self,
        questions: Sequence[Question],
        of: Replica | None = None,
        told: OnAnswered | None = None,
    ) -> list[list[Completion]]:
        """The completions of each prompt.

        Args:
            questions: The prompts.
            of: The replica that is asked; any that was admitted, if not given.
            told: Called with the number of a prompt, and its completions, as they come.
        """

        async def ask(client: Client, number: int, question: Question) -> list[Completion]:
            completions = await self._ask(client, question, of)
            if told is not None:
                told(number, completions)
            return completions

        return self._run(
            lambda client: together(ask(client, *numbered) for numbered in enumerate(questions))
        )

    def _run(self, work: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        return run_async(self._until_stopped(work))

    async def _until_stopped(self, work: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        """Give the work up, with all that it waits for, once the run is asked to end."""
        async with Client(self.limits, self.key_variable) as client:
            task = asyncio.ensure_future(work(client))
            try:
                while not (await asyncio.wait({task}, timeout=_GLANCE))[0]:
                    if self.should_stop():
                        raise Stopped
                return task.result()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _deliver(self, client: Client, before: ServedWeights | None) -> None:
        since = time.monotonic()
        while True:
            await together(self._try_to_hold(client, replica, before) for replica in self.replicas)
            if any(self._is_held(replica) for replica in self.replicas):
                return
            self._check_patience(since)
            await asyncio.sleep(_GLANCE)

    async def _try_to_hold(
        self, client: Client, replica: Replica, before: ServedWeights | None
    ) -> None:
        if replica.rests_until > time.monotonic():
            return
        try:
            await self._hold(client, replica)
            if before and before is not self.weights:
                with suppress(Refused):  # a replica that was restarted never had them
                    await before.forget(client, replica)
        except Unreachable as fault:
            self._set_aside(replica, fault)

    async def _ask(
        self, client: Client, question: Question, of: Replica | None
    ) -> list[Completion]:
        """One prompt's completions, by whichever replica is there."""
        troubled: float | None = None
        while True:
            replica = least_busy([of] if of else self._admitted(), time.monotonic())
            if replica is None:
                await asyncio.sleep(_GLANCE)
            else:
                completions = await self._try_to_ask(client, question, replica, once=bool(of))
                if completions is not None:
                    return completions
            troubled = troubled or time.monotonic()
            self._check_patience(troubled)

    def _admitted(self) -> list[Replica]:
        """Replicas in order, each rank beginning with another."""
        admitted = [replica for replica in self.replicas if replica.admitted]
        start = rank() % max(1, len(admitted))
        return admitted[start:] + admitted[:start]

    async def _try_to_ask(
        self, client: Client, question: Question, replica: Replica, once: bool
    ) -> list[Completion] | None:
        """Completions, or None where they are to be asked for again."""
        try:
            with replica.busy():
                await self._hold(client, replica)
                completions = await ask(client, replica, self._weights, question)
        except Unreachable as fault:
            self._set_aside(replica, fault)
            if once:
                raise
            return None
        if completions is None:
            self.work["retries"] += 1
        elif not once:
            self.work[f"requests_{self.replicas.index(replica)}"] += 1
        return completions

    async def _hold(self, client: Client, replica: Replica) -> None:
        """Let a replica hold the weights, if it does not."""
        async with client.locks[replica.url]:
            if self._is_held(replica):
                return
            models = await list_models(client, replica)
            replica.recognize(models[0])
            if not await self._weights.is_there(client, replica, models):
                await self._weights.load(client, replica)
            replica.holds = self._weights.name

    def _is_held(self, replica: Replica) -> bool:
        return replica.holds == self._weights.name

    @property
    def _weights(self) -> ServedWeights:
        if self.weights is None:
            raise BadInput("the engine has no policy yet: call sync first")
        return self.weights

    def _set_aside(self, replica: Replica, fault: Unreachable) -> None:
        replica.rest(fault)
        self.work["retries"] += 1

    def _check_patience(self, since: float) -> None:
        if time.monotonic() - since > self.limits.patience:
            faults = [f"{one.url} ({one.fault})" for one in self.replicas if one.fault]
            raise BadInput(
                f"no vLLM server has answered for {self.limits.patience:g} s: "
                f"{', '.join(faults) or 'none was found in order'}; start one there, or give the "
                "engine other urls"
            )
