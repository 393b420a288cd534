"""The replicas together: weights are delivered to all, each prompt is answered by one.

A replica that does not answer rests, and others take its requests. One that has lost its weights,
because it was restarted, is given them before it answers. Where none is left, the pool waits.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from reasonrft.errors import BadInput, Stopped
from reasonrft.policy.encoder import Prompt
from reasonrft.policy.policy import Policy
from reasonrft.rollout.engine import Completion
from reasonrft.rollout.sampling import Sampling
from reasonrft.rollout.served_weights import ServedWeights
from reasonrft.rollout.vllm_client import (
    Client,
    Limits,
    Refused,
    Replica,
    Unreachable,
    least_busy,
)
from reasonrft.rollout.vllm_protocol import (
    PATH,
    ServedPrompt,
    WrongReply,
    broken_off,
    check_prompt,
    generate_body,
    prompt_seed,
    read_completions,
    sampling_params,
    serve_prompt,
)
from reasonrft.run_async import run_async

T = TypeVar("T")

_GLANCE = 0.1
"""Seconds between two looks at what is waited for."""


@dataclass(frozen=True)
class Question:
    """A prompt, and how its completions are sampled."""

    prompt: ServedPrompt
    params: dict[str, Any]


def make_question(
    policy: Policy,
    prompt: Prompt,
    sampling: Sampling,
    count: int,
    seed: int | str,
    step: int = 0,
) -> Question:
    fields = sampling_params(
        sampling,
        count,
        prompt_seed(seed, step, prompt.problem.id),
        policy.stop_ids,
        policy.placeholder_mask().nonzero().flatten().tolist(),
    )
    return Question(serve_prompt(policy.encoder, prompt), fields)


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
        self.vocabulary = 0
        self.stop_ids: frozenset[int] = frozenset()
        self.work: Counter[str] = Counter()
        """What was done, under names that a rollout reports."""

    def set_policy(self, policy: Policy) -> None:
        """Know what its completions are made of."""
        self.vocabulary, self.stop_ids = policy.head.weight.shape[0], policy.stop_ids

    def deliver(self, before: ServedWeights | None = None) -> None:
        """Let all replicas that answer hold the weights instead of others; at least one does."""
        self._run(lambda client: self._deliver(client, before))

    def ask(
        self, questions: Sequence[Question], of: Replica | None = None
    ) -> list[list[Completion]]:
        """The completions of each prompt; of any replica that was admitted, or of this one."""
        return self._run(
            lambda client: together(self._ask(client, question, of) for question in questions)
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
            await self._wait(since)

    async def _try_to_hold(
        self, client: Client, replica: Replica, before: ServedWeights | None
    ) -> None:
        if replica.rests_until > time.monotonic():
            return
        try:
            await self._hold(client, replica)
            if before and before is not self.weights:
                await before.forget(client, replica)
        except Unreachable as fault:
            self._set_aside(replica, fault)
        except Refused:
            pass  # it has forgotten them already

    async def _ask(
        self, client: Client, question: Question, of: Replica | None
    ) -> list[Completion]:
        """One prompt's completions, by whichever replica is there."""
        since = time.monotonic()
        while True:
            chosen = [of] if of else [replica for replica in self.replicas if replica.admitted]
            replica = least_busy(chosen, time.monotonic())
            if replica is None:
                await self._wait(since)
                continue
            try:
                with replica.busy():
                    await self._hold(client, replica)
                    completions = await self._ask_replica(client, question, replica)
            except Unreachable as fault:
                self._set_aside(replica, fault)
                if of:
                    raise
            else:
                if completions is not None:
                    self.work[f"requests_{self.replicas.index(replica)}"] += not of
                    return completions
                self.work["retries"] += 1
            self._check_patience(since)

    async def _ask_replica(
        self, client: Client, question: Question, replica: Replica
    ) -> list[Completion] | None:
        """Completions, or None where a replica has lost the weights since it was looked at."""
        weights, prompt = self._weights, question.prompt
        _check_length(replica, question)
        body = generate_body(prompt, weights.model(replica), weights.name, question.params)
        try:
            reply = await client.post(replica, PATH, body)
            if reason := broken_off(reply):
                raise Unreachable(0, f"a completion ended by {reason}")
            if not weights.are_of(reply):
                replica.lost_weights()
                return None
            check_prompt(reply, prompt)
            count = question.params["n"]
            return read_completions(reply, count, self.vocabulary, self.stop_ids)
        except WrongReply as fault:
            raise BadInput(f"{replica.url} cannot be sampled from: {fault}") from None
        except Refused as fault:
            if fault.status == 404 and weights.model(replica) in fault.reason:
                replica.lost_weights()
                return None
            raise BadInput(refusal(replica, fault, prompt.problem_id)) from None

    async def _hold(self, client: Client, replica: Replica) -> None:
        """Let a replica hold the weights, if it does not."""
        async with client.locks[replica.url]:
            if self._is_held(replica):
                return
            models = await _models(client, replica)
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

    async def _wait(self, since: float) -> None:
        self._check_patience(since)
        await asyncio.sleep(_GLANCE)

    def _check_patience(self, since: float) -> None:
        if time.monotonic() - since > self.limits.patience:
            faults = [f"{one.url} ({one.fault})" for one in self.replicas if one.fault]
            raise BadInput(
                f"no vLLM server has answered for {self.limits.patience:g} s: "
                f"{', '.join(faults) or 'none was found in order'}; start one there, or give the "
                "engine other urls"
            )


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results; the first fault ends the others."""
    tasks: list[Awaitable[T]] = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()  # type: ignore[attr-defined]
        await asyncio.gather(*tasks, return_exceptions=True)


async def _models(client: Client, replica: Replica) -> list[Any]:
    try:
        models = (await client.get(replica, "/v1/models"))["data"]
        assert isinstance(models[0]["id"], str)
    except Refused as fault:
        raise BadInput(refusal(replica, fault)) from None
    except (KeyError, IndexError, TypeError, AssertionError):
        raise BadInput(f"{replica.url} is no vLLM server: /v1/models lists no model") from None
    return models


def _check_length(replica: Replica, question: Question) -> None:
    needed = len(question.prompt.ids) + question.params["max_tokens"]
    if replica.longest and needed > replica.longest:
        raise BadInput(
            f"problem {question.prompt.problem_id!r}: its prompt of {len(question.prompt.ids)} "
            f"tokens and {question.params['max_tokens']} more are too long for {replica.url}: "
            f"start it with --max-model-len {needed} or more"
        )


def refusal(replica: Replica, fault: Refused, problem: str = "") -> str:
    """What to do about an answer that stays the same."""
    about = f" on problem {problem!r}" if problem else ""
    if fault.status in (401, 403) and "scale-out" not in fault.reason:
        remedy = "put its --api-key into the environment variable that key_variable names"
    elif fault.status in (403, 404, 405):
        remedy = f"{PATH} is there in vLLM 0.32 or later, started with --enable-scale-out"
    else:
        remedy = "docs/engines.md has the command that starts a server"
    return f"{replica.url} answers {fault}{about}: {remedy}"
