"""One prompt asked of one server: its completions, or what is wrong."""

from dataclasses import dataclass
from typing import Any

from reasonrft.errors import BadInput
from reasonrft.policy.encoder import Encoder, Prompt
from reasonrft.policy.policy import Policy
from reasonrft.rollout.engine import Completion
from reasonrft.rollout.replicas import Replica
from reasonrft.rollout.sampling import Sampling
from reasonrft.rollout.served_weights import ServedWeights
from reasonrft.rollout.vllm_client import Client, Refused, Unreachable
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


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a policy, known before it is updated in another thread."""

    size: int
    excluded: tuple[int, ...]
    """Never sampled."""
    stop_ids: frozenset[int]

    @classmethod
    def of(cls, policy: Policy) -> "Vocabulary":
        excluded = tuple(sorted(policy.placeholders))
        return cls(policy.head.weight.shape[0], excluded, policy.stop_ids)


@dataclass(frozen=True)
class Question:
    """A prompt, and how its completions are sampled."""

    prompt: ServedPrompt
    params: dict[str, Any]
    vocabulary: Vocabulary


def make_question(
    encoder: Encoder,
    vocabulary: Vocabulary,
    prompt: Prompt,
    sampling: Sampling,
    count: int,
    seed: int | str,
    step: int = 0,
) -> Question:
    own_seed = prompt_seed(seed, step, prompt.problem.id)
    stop_ids, excluded = vocabulary.stop_ids, vocabulary.excluded
    params = sampling_params(sampling, count, own_seed, stop_ids, excluded)
    return Question(serve_prompt(encoder, prompt), params, vocabulary)


async def ask(
    client: Client, replica: Replica, weights: ServedWeights, question: Question
) -> list[Completion] | None:
    """Completions, or None where a replica has lost the weights since it was looked at."""
    prompt, count = question.prompt, question.params["n"]
    check_length(replica, prompt, question.params["max_tokens"])
    body = generate_body(prompt, weights.model(replica), weights.name, question.params)
    try:
        reply = await client.post_watched(replica, PATH, body)
        if reason := broken_off(reply):
            raise Unreachable(0, f"a completion ended by {reason}")
        if not weights.are_of(reply):
            replica.lost_weights()
            return None
        check_prompt(reply, prompt)
        known = question.vocabulary
        return read_completions(reply, count, known.size, known.stop_ids)
    except WrongReply as fault:
        raise BadInput(f"{replica.url} cannot be sampled from: {fault}") from None
    except Refused as fault:
        if fault.status == 404 and weights.model(replica) in fault.reason:
            replica.lost_weights()
            return None
        raise BadInput(refusal(replica, fault, prompt.problem_id)) from None


async def list_models(client: Client, replica: Replica) -> list[Any]:
    try:
        models = (await client.get(replica, "/v1/models"))["data"]
        assert isinstance(models[0]["id"], str)
    except Refused as fault:
        raise BadInput(refusal(replica, fault)) from None
    except (KeyError, IndexError, TypeError, AssertionError):
        raise BadInput(f"{replica.url} is no vLLM server: /v1/models lists no model") from None
    return models


def check_length(replica: Replica, prompt: ServedPrompt, more: int) -> None:
    """Refuse a prompt that a server has no room for, with so many tokens more."""
    needed = len(prompt.ids) + more
    if replica.longest and needed > replica.longest:
        raise BadInput(
            f"problem {prompt.problem_id!r}: its prompt of {len(prompt.ids)} tokens and {more} "
            f"more are too long for {replica.url}: start it with --max-model-len {needed} or more"
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
