"""Does a server compute what the policy computes? Asked before it samples for training.

The server samples a few tokens after two prompts, one without an image and one with a drawn one.
The policy scores the same tokens. Which of the two prompts disagrees tells weights from pixels.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from reasonrft.errors import BadInput
from reasonrft.policy.encoder import Prompt
from reasonrft.policy.policy import Policy
from reasonrft.policy.scoring import Group, score
from reasonrft.problems import Problem
from reasonrft.rollout.engine import Completion
from reasonrft.rollout.sampling import Sampling

PROBE = Sampling(temperature=0.7, max_tokens=8)
"""Not at 1, so that log-probs tell whether they are scaled by temperature."""
PROBES = 2
"""Completions of each prompt."""


@dataclass(frozen=True)
class Gap:
    """Mean differences between a server's log-probs and the scorer's, over a prompt's tokens."""

    scaled: float
    """To the distribution that is sampled from."""
    raw: float
    """To that of the model itself: temperature 1, all tokens."""

    @property
    def least(self) -> float:
        return min(self.scaled, self.raw)


def probe_prompts(policy: Policy) -> list[Prompt]:
    """One prompt without an image, and one with."""
    words = "Count the tiles, one by one."
    problems = [
        Problem("parity check", "general", images, words, "1") for images in ((), (_tiles(),))
    ]
    return policy.encoder.prompts(problems, [words] * 2).prompts


def _tiles() -> bytes:
    """An image that every change of size, colour or place alters: no two tiles are equal."""
    grid = torch.arange(9 * 7 * 3, dtype=torch.uint8).reshape(7, 9, 3) * 37
    image = Image.fromarray(grid.numpy()).resize((117, 91), Image.Resampling.NEAREST)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@torch.no_grad()
def gaps(
    policy: Policy, prompts: Sequence[Prompt], sampled: Sequence[Sequence[Completion]]
) -> list[Gap]:
    """How far a server's log-probs are from the policy's, prompt by prompt."""
    training = policy.training
    policy.eval()
    try:
        return [_gap(policy, *pair) for pair in zip(prompts, sampled, strict=True)]
    finally:
        policy.train(training)


def _gap(policy: Policy, prompt: Prompt, completions: Sequence[Completion]) -> Gap:
    group = Group(prompt, [completion.ids for completion in completions])
    served = torch.cat([completion.log_probs for completion in completions])

    def difference(temperature: float, as_sampled: bool) -> float:
        ours: Tensor = score(policy, [group], temperature, as_sampled=as_sampled).log_probs
        return float((ours.cpu() - served).abs().mean())

    return Gap(difference(PROBE.temperature, True), difference(1.0, False))


def are_scaled(url: str, path: str, found: Sequence[Gap], tolerance: float) -> bool:
    """Whether a server's log-probs are scaled by temperature; `BadInput` if they are others."""
    if all(gap.scaled <= tolerance for gap in found):
        return True
    if all(gap.raw <= tolerance for gap in found):
        return False
    text, image = (gap.least for gap in found)
    why = (
        f"differ by {text:.2g} on average without any image: it serves other weights than the "
        f"policy's, or does not apply its adapter; start it anew with --model {path}"
        if not text <= tolerance
        else f"agree to {text:.2g} without an image and differ by {image:.2g} with one: it sees "
        "other pixels, or its vision tower has other weights; its processor's settings must be "
        f"those of {path}"
    )
    raise BadInput(
        f"{url}: log-probs of the same tokens {why} (the engine's tolerance is {tolerance:g}; "
        "raise it if one side computes in a lower precision)"
    )


def default_tolerance(policy: Policy) -> float:
    """What rounding explains: little in float32 on a CPU, more where bfloat16 is usual."""
    exact = policy.model.dtype == torch.float32 and policy.device.type == "cpu"
    return 0.01 if exact else 0.05
