"""The replicas of a rollout engine: weights are delivered to all, each prompt is answered by one.

One that has lost its weights, because it was restarted, is given them before it answers.
"""

import asyncio
import time
from contextlib import suppress

from reasonrft.errors import BadInput
from reasonrft.rollout.engine import Completion
from reasonrft.rollout.replica_pool import GLANCE, ReplicaPool
from reasonrft.rollout.replicas import Replica
from reasonrft.rollout.served_weights import ServedWeights
from reasonrft.rollout.vllm_client import Client, Refused, Unreachable
from reasonrft.rollout.vllm_questions import Question, ask, list_models
from reasonrft.run_async import together


class ServerPool(ReplicaPool[Question, list[Completion]]):
    """Asks replicas, and keeps them in step with one version of the weights."""

    weights: ServedWeights | None = None

    def deliver(self, before: ServedWeights | None = None) -> None:
        """Let all replicas that answer hold the weights instead of others; at least one does."""
        self.run(lambda client: self._deliver(client, before))

    async def _deliver(self, client: Client, before: ServedWeights | None) -> None:
        since = time.monotonic()
        while True:
            await together(self._try_to_hold(client, replica, before) for replica in self.replicas)
            if any(self._is_held(replica) for replica in self.replicas):
                return
            self.check_patience(since)
            await asyncio.sleep(GLANCE)

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
            self.set_aside(replica, fault)

    async def answer(
        self, client: Client, replica: Replica, question: Question
    ) -> list[Completion] | None:
        """A prompt's completions, or None where the weights were lost meanwhile."""
        await self._hold(client, replica)
        return await ask(client, replica, self._weights, question)

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
