"""What a vLLM server is sent for a prompt, and what it sends back: token ids both ways.

POST /inference/v1/generate, a prompt's G completions in one request

token_ids        the trainer's own, with one placeholder for each image
content_parts    the images, as large as the trainer's processor makes them
sampling_params  all of it: nothing is left to a checkpoint's generation config
cache_salt       the name of the weights: no other weights' keys and values are used again
"""

import base64
import hashlib
import io
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from reasonrft.policy.encoder import Encoder, Prompt
from reasonrft.rollout.engine import Completion
from reasonrft.rollout.sampling import Sampling

PATH = "/inference/v1/generate"
NEVER = -1e9
"""A bias that leaves a token without probability, and that JSON can hold."""


class WrongReply(ValueError):
    """A reply that cannot be used; the message says why in one clause."""


@dataclass(frozen=True)
class ServedPrompt:
    """A prompt as a server takes it."""

    problem_id: str
    short_ids: list[int]
    """With one placeholder for each image."""
    ids: list[int]
    """As the model reads it, which the server must find too."""
    images: list[str]
    """Data URLs."""


def serve_prompt(encoder: Encoder, prompt: Prompt) -> ServedPrompt:
    problem = prompt.problem
    return ServedPrompt(
        problem.id,
        encoder.short_ids(problem, prompt.text),
        prompt.ids.tolist(),
        [data_url(image) for image in resized_images(encoder, prompt)],
    )


def resized_images(encoder: Encoder, prompt: Prompt) -> list[Image.Image]:
    """A prompt's images in the sizes that its processor gives them.

    Libraries resize to slightly other pixels; what has the right size already is left as it is.
    Only families that say which grid of patches an image became are resized here.
    """
    images, processor = prompt.problem.open_images(), encoder.processor.image_processor
    grids = prompt.inputs.get("image_grid_thw")  # (images, 3)
    if grids is None:
        return images
    sizes = (grids[:, 1:].flip(1) * processor.patch_size).tolist()  # width, height
    return [
        image if list(image.size) == size else image.resize(tuple(size), processor.resample)
        for image, size in zip(images, sizes, strict=True)
    ]


def data_url(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def sampling_params(
    sampling: Sampling,
    count: int,
    seed: int,
    stop_ids: Collection[int],
    excluded: Collection[int],
) -> dict[str, Any]:
    """Every field that changes which tokens are sampled, or which log-probs come back.

    Completion number i of a request has the seed `seed + i`. The end-of-turn tokens are ours alone:
    `ignore_eos` keeps the server from adding those of its generation config.
    """
    return {
        "n": count,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "max_tokens": sampling.max_tokens,
        "min_tokens": 0,
        "seed": seed,
        "logprobs": 0,  # of the sampled token alone
        "stop_token_ids": sorted(stop_ids),
        "ignore_eos": True,
        "logit_bias": {str(token): NEVER for token in sorted(excluded)},
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "repetition_penalty": 1.0,
        "detokenize": False,
    }


def generate_body(
    prompt: ServedPrompt, model: str, weights: str, params: dict[str, Any]
) -> dict[str, Any]:
    """The request for a prompt's completions by these weights."""
    body = {
        "model": model,
        "token_ids": prompt.short_ids,
        "sampling_params": params,
        "return_token_ids": True,
        "cache_salt": weights,
    }
    parts = [{"type": "image_url", "url": url} for url in prompt.images]
    return body | ({"content_parts": parts} if parts else {})


def prompt_seed(seed: int | str, step: int, prompt: str) -> int:
    """A seed that depends on these three alone, small enough to count on from."""
    name = f"{seed}/{step}/{prompt}".encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:8], "big") >> 2


def check_prompt(reply: Any, prompt: ServedPrompt) -> None:
    """Refuse a reply to another prompt than ours, token by token."""
    ids = reply.get("prompt_token_ids")
    if ids is None:
        raise WrongReply("it does not say which tokens it read (prompt_token_ids)")
    if ids != prompt.ids:
        images = len(prompt.images)
        raise WrongReply(
            f"it read {len(ids)} tokens and the trainer {len(prompt.ids)}, with {images} images: "
            "the two must have the same tokenizer and processor, and the server's pixel limits "
            "must admit the trainer's images (--mm-processor-kwargs)"
            if len(ids) != len(prompt.ids)
            else "it read other tokens than the trainer's: the two must have the same tokenizer"
        )


def read_completions(
    reply: Any, count: int, vocabulary: int, stop_ids: Collection[int]
) -> list[Completion]:
    """The completions of a reply, in their order."""
    try:
        choices = sorted(reply["choices"], key=lambda choice: choice["index"])
        completions = [_completion(choice) for choice in choices]
    except (KeyError, TypeError, AttributeError) as error:
        raise _no_answer(error) from error
    if len(completions) != count:
        raise WrongReply(f"it has {len(completions)} completions instead of {count}")
    greatest = max(int(completion.ids.max()) for completion in completions)
    if greatest >= vocabulary:
        raise WrongReply(
            f"it sampled the token {greatest}, and the policy's vocabulary ends at {vocabulary - 1}"
        )
    if any(c.stopped and int(c.ids[-1]) not in stop_ids for c in completions):
        raise WrongReply(
            "a completion that stopped does not end in one of the policy's stop tokens"
        )
    return completions


def _completion(choice: Any) -> Completion:
    ids, content = choice["token_ids"], choice["logprobs"]["content"]
    log_probs = [token["logprob"] for token in content]
    if not ids or [token["token_id"] for token in content] != ids:
        raise WrongReply("its log-probs are not those of its tokens")
    if not all(-9999 < value < math.inf for value in log_probs):  # vLLM writes nan as -9999
        raise WrongReply("a log-prob in it is no number")
    return Completion(torch.tensor(ids), torch.tensor(log_probs), choice["finish_reason"] == "stop")


def prompt_log_probs_params() -> dict[str, Any]:
    """For the log-probs of the tokens that a request itself has; a server samples one, at least."""
    return {
        "n": 1,
        "temperature": 0.0,
        "max_tokens": 1,
        "prompt_logprobs": 0,  # of the prompt's own tokens alone
        "ignore_eos": True,
        "detokenize": False,
    }


def read_prompt_log_probs(reply: Any, ids: Sequence[int]) -> Tensor:  # (T,)
    """The log-probs of these last tokens of a request."""
    try:
        places = reply["prompt_logprobs"][-len(ids) :]
        values = [place[str(token)]["logprob"] for place, token in zip(places, ids, strict=True)]
    except (KeyError, TypeError, ValueError) as error:
        raise WrongReply(f"it has no log-probs of the request's own tokens ({error!r})") from error
    if not all(-9999 < value < math.inf for value in values):  # as vLLM writes nan and -infinity
        raise WrongReply("a log-prob in it is no number")
    return torch.tensor(values)


def broken_off(reply: Any) -> str:
    """Why a completion was broken off, if the server did that."""
    try:
        reasons = {str(choice["finish_reason"]) for choice in reply["choices"]}
    except (KeyError, TypeError) as error:
        raise _no_answer(error) from error
    return ", ".join(sorted(reasons - {"stop", "length"}))


def _no_answer(error: Exception) -> WrongReply:
    return WrongReply(f"it is no answer of {PATH} ({error!r})")
