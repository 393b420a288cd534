"""A teacher on vLLM servers, which say how likely the tokens of a request are (prompt_logprobs).

    prompt and completion ──ids and images──> the least busy replica ──> a log-prob of each token

Each completion is a request of its own: servers compute a prompt again for each of its group.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from reasonrft.errors import BadInput
from reasonrft.policy.encoder import Encoder
from reasonrft.policy.policy import Policy
from reasonrft.policy.scoring import Group
from reasonrft.rollout.replica_pool import GLANCE, ReplicaPool
from reasonrft.rollout.replicas import Replica, make_replicas
from reasonrft.rollout.vllm_client import Client, Limits, Refused, Unreachable
from reasonrft.rollout.vllm_protocol import (
    PATH,
    ServedPrompt,
    WrongReply,
    broken_off,
    generate_body,
    prompt_log_probs_params,
    read_prompt_log_probs,
    serve_prompt,
)
from reasonrft.rollout.vllm_questions import check_length, list_models, refusal
from reasonrft.run_async import together
from reasonrft.teachers.base import Teacher

PROBE = "<think>\nThe 3rd cube's 12.5 cm; naïve, isn't it?\n</think>\n<answer> (B) 47 </answer>"
"""Two tokenizers that cut this alike are one."""


class ServerTeacher(Teacher):
    """A model that vLLM servers hold, as large as they can."""

    def __init__(
        self,
        urls: Sequence[str],
        weight: float = 1.0,
        connect_seconds: float = 10.0,
        request_seconds: float = 600.0,
        patience: float = 600.0,
        key_variable: str = "VLLM_API_KEY",
    ) -> None:
        """
        Args:
            urls: Addresses of the servers, such as http://localhost:8000; all serve the teacher,
                whose tokens must be those of the policy.
            weight: Factor of its part of a token's advantage.
            connect_seconds: Seconds that a connection may take.
            request_seconds: Seconds that a completion may take.
            patience: Seconds after which the run ends if no server answers.
            key_variable: Environment variable that holds the servers' key, if they want one.
        """
        super().__init__(weight)
        positive = {"connect_seconds": connect_seconds, "request_seconds": request_seconds}
        for name, value in (positive | {"patience": patience}).items():
            if not value > 0:
                raise BadInput(f"the teacher's {name} must be positive, not {value}")
        limits = Limits(connect_seconds, request_seconds, patience)
        replicas = make_replicas(urls, key_variable)
        self.pool = TeacherPool(replicas, limits, key_variable, lambda: self.should_stop())
        self._encoder: Encoder | None = None

    def prepare(self, policy: Policy, temperature: float) -> None:
        if temperature != 1:
            raise BadInput(
                f"servers tell log-probs of a request at temperature 1, and sampling.temperature "
                f"is {temperature}: set it to 1, or take a PolicyTeacher"
            )
        self._encoder = policy.encoder
        self.pool.meet(policy.encoder.text_ids(PROBE))

    def log_probs(self, micro_batches: Sequence[Sequence[Group]]) -> list[Tensor]:
        """Of all completions of the step at the same time."""
        if self._encoder is None:
            raise BadInput("the teacher does not know the policy yet: call prepare first")
        asked = [
            [one for group in groups for one in _questions(self._encoder, group)]
            for groups in micro_batches
        ]
        answers = iter(self.pool.ask([one for own in asked for one in own]))
        return [torch.cat([next(answers) for _ in own]) for own in asked]


@dataclass(frozen=True)
class _Question:
    """A prompt with a completion, as a request has them."""

    request: ServedPrompt
    completion: list[int]


def _questions(encoder: Encoder, group: Group) -> list[_Question]:
    prompt = serve_prompt(encoder, group.prompt)
    return [
        _Question(replace(prompt, short_ids=prompt.short_ids + ids, ids=prompt.ids + ids), ids)
        for ids in (completion.tolist() for completion in group.completions)
    ]


class TeacherPool(ReplicaPool[_Question, Tensor]):
    """Servers that hold the teacher."""

    _probe: Sequence[int] = ()
    """The probe's tokens, as the policy reads it."""

    def meet(self, probe: Sequence[int]) -> None:
        """Wait until a server answers, and refuse one whose tokens are not the policy's."""
        self._probe = probe
        for replica in self.replicas:
            replica.admitted = True  # each is looked at before it answers
        self.run(self._meet)

    async def _meet(self, client: Client) -> None:
        since = time.monotonic()
        while True:
            await together(self._try_to_meet(client, replica) for replica in self.replicas)
            if not all(replica.suspect for replica in self.replicas):
                return
            self.check_patience(since)
            await asyncio.sleep(GLANCE)

    async def _try_to_meet(self, client: Client, replica: Replica) -> None:
        try:
            await self._recognize(client, replica)
        except Unreachable as fault:
            self.set_aside(replica, fault)

    async def _recognize(self, client: Client, replica: Replica) -> None:
        """Whether it is the server that it was, and cuts words as the policy does."""
        async with client.locks[replica.url]:
            if not replica.suspect:
                return
            models = await list_models(client, replica)
            replica.recognize(models[0])
            body = {"model": replica.base, "prompt": PROBE, "add_special_tokens": False}
            try:
                reply = await client.post(replica, "/tokenize", body)
            except Refused as fault:
                raise BadInput(refusal(replica, fault)) from None
            if not isinstance(reply, dict) or reply.get("tokens") != list(self._probe):
                raise BadInput(
                    f"{replica.url} serves {replica.root}, which has other tokens than the policy, "
                    "and is asked for log-probs of the same ones: serve a teacher with the same "
                    "tokenizer"
                )
            replica.suspect = False

    async def answer(self, client: Client, replica: Replica, question: _Question) -> Tensor:
        """The log-probs (T,) of a completion's tokens."""
        await self._recognize(client, replica)
        request = question.request
        check_length(replica, request, 1)
        body = generate_body(request, replica.base, "teacher", prompt_log_probs_params())
        try:
            reply = await client.post_watched(replica, PATH, body)
            if reason := broken_off(reply):
                raise Unreachable(0, f"a request ended by {reason}")
            return read_prompt_log_probs(reply, question.completion)
        except WrongReply as fault:
            raise BadInput(f"{replica.url} cannot teach: {fault}") from None
        except Refused as fault:
            raise BadInput(refusal(replica, fault, request.problem_id)) from None
