"""Several servers that answer the same questions: each question is answered by one of them.

A replica that does not answer rests, and others take its requests. Where none is left, the pool
waits.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

from reasonrft.distributed.ranks import rank
from reasonrft.errors import BadInput, Stopped
from reasonrft.rollout.replicas import Replica, least_busy
from reasonrft.rollout.vllm_client import Client, Limits, Unreachable
from reasonrft.run_async import run_async, together

T = TypeVar("T")
Asked = TypeVar("Asked")
Answered = TypeVar("Answered")

GLANCE = 0.1
"""Seconds between two looks at what is waited for."""


class ReplicaPool(Generic[Asked, Answered]):
    """Asks replicas; subclass it, override `answer`."""

    def __init__(
        self,
        replicas: Sequence[Replica],
        limits: Limits,
        key_variable: str,
        should_stop: Callable[[], bool],
    ) -> None:
        self.replicas, self.limits, self.key_variable = replicas, limits, key_variable
        self.should_stop = should_stop
        self.work: dict[str, float] = defaultdict(float)
        """What was done, under names that a rollout reports."""

    async def answer(self, client: Client, replica: Replica, question: Asked) -> Answered | None:
        """One replica's answer, or None where the question is to be asked again."""
        raise NotImplementedError(f"{type(self).__name__} does not define answer")

    def ask(
        self,
        questions: Sequence[Asked],
        of: Replica | None = None,
        told: Callable[[int, Answered], None] | None = None,
    ) -> list[Answered]:
        """The answer to each question.

        Args:
            questions: What is asked, all at the same time.
            of: The replica that is asked; any that was admitted, if not given.
            told: Called with the number of a question, and its answer, as they come.
        """

        async def ask(client: Client, number: int, question: Asked) -> Answered:
            answered = await self._ask(client, question, of)
            if told is not None:
                told(number, answered)
            return answered

        return self.run(
            lambda client: together(ask(client, *numbered) for numbered in enumerate(questions))
        )

    def run(self, work: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        """Do some work with a client."""
        return run_async(self._until_stopped(work))

    async def _until_stopped(self, work: Callable[[Client], Coroutine[Any, Any, T]]) -> T:
        """Give the work up, with all that it waits for, once the run is asked to end."""
        async with Client(self.limits, self.key_variable) as client:
            task = asyncio.ensure_future(work(client))
            try:
                while not (await asyncio.wait({task}, timeout=GLANCE))[0]:
                    if self.should_stop():
                        raise Stopped
                return task.result()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def _ask(self, client: Client, question: Asked, of: Replica | None) -> Answered:
        """The answer to one question, by whichever replica is there."""
        troubled: float | None = None
        while True:
            replica = least_busy([of] if of else self._admitted(), time.monotonic())
            if replica is None:
                await asyncio.sleep(GLANCE)
            else:
                answered = await self._try_to_ask(client, question, replica, once=bool(of))
                if answered is not None:
                    return answered
            troubled = troubled or time.monotonic()
            self.check_patience(troubled)

    def _admitted(self) -> list[Replica]:
        """Replicas in order, each rank beginning with another."""
        admitted = [replica for replica in self.replicas if replica.admitted]
        start = rank() % max(1, len(admitted))
        return admitted[start:] + admitted[:start]

    async def _try_to_ask(
        self, client: Client, question: Asked, replica: Replica, once: bool
    ) -> Answered | None:
        """The answer, or None where the question is to be asked again."""
        try:
            with replica.busy():
                answered = await self.answer(client, replica, question)
        except Unreachable as fault:
            self.set_aside(replica, fault)
            if once:
                raise
            return None
        if answered is None:
            self.work["retries"] += 1
        elif not once:
            self.work[f"requests_{self.replicas.index(replica)}"] += 1
        return answered

    def set_aside(self, replica: Replica, fault: Unreachable) -> None:
        """Ask others for a while."""
        replica.rest(fault)
        self.work["retries"] += 1

    def check_patience(self, since: float) -> None:
        """End the wait if nobody has answered for too long."""
        if time.monotonic() - since > self.limits.patience:
            faults = [f"{one.url} ({one.fault})" for one in self.replicas if one.fault]
            raise BadInput(
                f"no vLLM server has answered for {self.limits.patience:g} s: "
                f"{', '.join(faults) or 'none was found in order'}; start one there, or give the "
                "engine other urls"
            )
