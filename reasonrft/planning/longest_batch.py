"""The longest prompts and responses that a run can meet: of its data, or within its limits.

L tokens of a prompt, T tokens of a completion or response.
"""

import io
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from reasonrft.datamodules import TaskDataModule
from reasonrft.datamodules.base import name_of
from reasonrft.datamodules.encode_batch import Asking, Encode, Kind
from reasonrft.errors import BadInput
from reasonrft.policy.collate import extend
from reasonrft.policy.encoder import Prompt
from reasonrft.policy.image_features import PIXELS
from reasonrft.policy.policy import Policy
from reasonrft.problems import Problem

MOST_READ = 2_000
"""Problems whose lengths are looked at."""
WORDS = 128
"""Tokens of a prompt that are no images, at the least."""
SIDE = 1280
"""Pixels along the side of images whose size nothing limits, before they are made to fit."""


@dataclass(frozen=True)
class Longest:
    """Prompts to plan with, the longest first, and where they are from."""

    prompts: list[Prompt]
    responses: list[int]
    """Tokens of each prompt's response, where that is learned."""
    source: str
    problems: int | None
    """How many problems there are in all, where that is known."""

    def take(self, count: int) -> list[Prompt]:
        """So many prompts; where there are fewer, they come again."""
        return [_again(self.prompts[at % len(self.prompts)]) for at in range(count)]


def longest(
    policy: Policy, data: TaskDataModule, kind: Kind, fake: FakeTensorMode, worst_case: bool
) -> Longest:
    """What the data has, if it lies here and is to be read; else what its limits allow."""
    reads = not worst_case and has_processor(policy) and data.source.at_hand("train")
    found = _longest_of_data(policy, data, kind) if reads else _longest_allowed(policy, data, kind)
    prompts = [_hollow(prompt, fake) for prompt in found.prompts]
    return replace(found, prompts=prompts)


def has_processor(policy: Policy) -> bool:
    """Whether the model's processor can be had, and not its config.json alone."""
    try:
        return policy.processor is not None
    except BadInput:
        return False


def _longest_of_data(policy: Policy, data: TaskDataModule, kind: Kind) -> Longest:
    encode = Encode(policy.encoder, Asking(data.common_task, data.target), kind)
    problems = data.source.problems("train", name_of(data.common_task))
    read: Sequence[Problem] = problems
    if len(problems) > MOST_READ:
        read = random.Random(0).sample(list(problems), MOST_READ)
    lengths = [(encode.length(problem), at) for at, problem in enumerate(read)]
    within = sorted((pair for pair in lengths if pair[0] <= data.max_tokens), reverse=True)
    if not within:
        raise BadInput(f"no problem of split train is within max_tokens={data.max_tokens:,}")
    some = "" if len(read) == len(problems) else f"{len(read):,} of "
    chosen = [read[at] for _, at in within[: data.batch_size]]
    made = encode(chosen)
    if isinstance(made, BadInput):
        raise made
    examples = kind == "examples"
    return Longest(
        [example.prompt for example in made] if examples else made.prompts,
        [len(example.response) for example in made] if examples else [],
        f"the longest of {some}{len(problems):,} problems",
        len(problems),
    )


def _longest_allowed(policy: Policy, data: TaskDataModule, kind: Kind) -> Longest:
    """A prompt of as many tokens as the datamodule lets in, most of them images."""
    response = data.max_tokens // 4 if kind == "examples" else 0
    length, images = data.max_tokens - response, data.image_count or 1
    if has_processor(policy):
        prompt = _prompt_of(policy, length, images)
    else:
        prompt = _prompt_without_processor(policy, length, images)
    more = torch.zeros(max(0, length - prompt.length), dtype=torch.long)
    full = replace(prompt, inputs=extend(prompt.inputs, more))
    of = f", {response:,} of them responses" if response else ""
    source = f"what data.max_tokens allows: {data.max_tokens:,} tokens{of}, {images} image(s) each"
    return Longest([full], [response] if response else [], source, None)


def _prompt_of(policy: Policy, length: int, images: int) -> Prompt:
    """Blank images, as large as they may be where their prompt is no longer than this."""
    area = policy.max_pixels or SIDE**2
    while True:
        side = max(1, round(area**0.5))
        file = io.BytesIO()
        Image.new("RGB", (side, side)).save(file, "PNG")
        problem = Problem("longest", "general", (file.getvalue(),) * images, "", "")
        prompt = policy.encoder.prompt(problem, "?")
        if prompt.length <= length or side < 16:
            return prompt
        area = int(area * 0.9)


def _prompt_without_processor(policy: Policy, length: int, images: int) -> Prompt:
    """The same from config.json alone, for models whose images are grids of patches."""
    config, vision = policy.model.config, policy.model.config.vision_config
    # What there is of an encoder without a processor: nothing is padded here.
    policy.encoder = SimpleNamespace(tokenizer=SimpleNamespace(pad_token_id=0))  # type: ignore
    patch: Any = getattr(vision, "patch_size", None)
    merge: Any = getattr(vision, "spatial_merge_size", None)
    if not isinstance(patch, int) or not isinstance(merge, int):
        return Prompt(_problem(0), "", _text_inputs(torch.zeros(1, 1, dtype=torch.long)))
    tokens = (length - WORDS) // images
    if policy.max_pixels:
        tokens = min(tokens, policy.max_pixels // (patch * merge) ** 2)
    side = max(1, int(max(1, tokens) ** 0.5))
    ids = torch.zeros(1, images * (side * side + 2), dtype=torch.long)
    spans = ids.view(images, -1)
    spans[:, 0], spans[:, 1:-1] = config.vision_start_token_id, config.image_token_id
    channels: int = getattr(vision, "in_channels", None) or getattr(vision, "in_chans", None) or 3
    width = channels * getattr(vision, "temporal_patch_size", 1) * patch**2
    grid = torch.tensor([[1, side * merge, side * merge]] * images)
    inputs = _text_inputs(ids) | {
        "mm_token_type_ids": (ids == config.image_token_id).long(),
        "image_grid_thw": grid,
        PIXELS: torch.zeros(1, 1).expand(int(grid.prod(-1).sum()), width),
    }
    return Prompt(_problem(images), "", inputs)


def _problem(images: int) -> Problem:
    return Problem("longest", "general", (b"",) * images, "", "")


def _text_inputs(ids: Tensor) -> dict[str, Tensor]:
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def _hollow(prompt: Prompt, fake: FakeTensorMode) -> Prompt:
    """The same prompt whose pixels have no contents."""
    inputs = {
        name: fake.from_tensor(value) if value.is_floating_point() else value
        for name, value in prompt.inputs.items()
    }
    return replace(prompt, inputs=inputs)


def _again(prompt: Prompt) -> Prompt:
    """The same prompt as another problem's, whose images are encoded for themselves."""
    inputs: dict[str, Any] = dict(prompt.inputs)
    if PIXELS in inputs:
        inputs[PIXELS] = inputs[PIXELS].view_as(inputs[PIXELS])
    return replace(prompt, inputs=inputs)
