"""NoisyRollout (2504.13055): part of each group answers a distorted image.

    prompt ──────────> clean completions ─────┐
       └─ effect ────> distorted completions ─┴─> one group: rewards, advantages
                                                  update: all of them with the clean image

The share of the group stays, the strength of the distortion is annealed:

    strength(t) = 1 - 1 / (1 + exp(-sharpness (t - midpoint) / steps))

P prompts, G completions per prompt.
"""

import math
from collections.abc import Callable
from dataclasses import replace

from reasonrft.errors import BadInput
from reasonrft.policy.altered_images import alter_images
from reasonrft.policy.encoder import Encoder, Prompt, PromptBatch
from reasonrft.rollout.engine import Rollout
from reasonrft.worlds.drawing.light import Effect, SensorNoise

Sample = Callable[[PromptBatch, int], Rollout]
"""Completions of each prompt, as many as asked for."""

LEAST_STRENGTH = 1 / 512
"""Below it no byte of an image changes."""


class NoisyRollout:
    """Samples some completions of each group from a distorted image."""

    def __init__(
        self,
        effect: Effect | None = None,
        share: float = 0.5,
        steps: int = 60,
        midpoint: float = 40.0,
        sharpness: float = 30.0,
    ) -> None:
        """
        Args:
            effect: What is done to the image, at full strength; if not given, SensorNoise of 0.5,
                which is the paper's noise.
            share: Share of a group that answers the distorted image.
            steps: Steps over which the distortion is annealed.
            midpoint: Step at which half of its strength is left.
            sharpness: How steep the strength falls there; 0 leaves it at a half.
        """
        if not 0 < share < 1:
            raise BadInput(f"noisy_rollout's share must be above 0 and below 1, not {share}")
        if steps < 1 or not (math.isfinite(midpoint) and 0 <= sharpness < math.inf):
            raise BadInput(
                "noisy_rollout's steps must be at least 1, midpoint a number and sharpness one of "
                f"at least 0, not {steps}, {midpoint} and {sharpness}"
            )
        self.effect = effect or SensorNoise((0.5, 0.5))
        self.share, self.steps = share, steps
        self.midpoint, self.sharpness = midpoint, sharpness

    def strength(self, step: int) -> float:
        """From 1 to 0: how much of the distortion a step sees."""
        # 1 - sigmoid(x), which does not overflow.
        return (1 - math.tanh(self.sharpness * (step - self.midpoint) / self.steps / 2)) / 2

    def distorted(self, group_size: int) -> int:
        """How many completions of a group answer the distorted image."""
        count = round(self.share * group_size)
        if not 0 < count < group_size:
            raise BadInput(
                f"noisy_rollout's share of {self.share:g} is {count} of group_size {group_size}: "
                "there must be some completions of either kind"
            )
        return count

    def generate(
        self,
        sample: Sample,
        encoder: Encoder,
        batch: PromptBatch,
        group_size: int,
        seed: str,
        step: int,
    ) -> Rollout:
        """A rollout of the clean prompts, in whose groups the distorted completions come last."""
        distorted, strength = self.distorted(group_size), self.strength(step)
        if strength < LEAST_STRENGTH:
            return sample(batch, group_size)
        prompts = [
            self._distort(encoder, prompt, f"{seed}/{step}/{prompt.problem.id}", strength)
            for prompt in batch.prompts
        ]
        if 2 * distorted == group_size:  # then one decoding serves both
            both = sample(PromptBatch([*batch.prompts, *prompts]), distorted)
            clean, noisy = both.split(len(batch))
        else:
            clean = sample(batch, group_size - distorted)
            noisy = sample(PromptBatch(prompts), distorted)
        return clean.beside(noisy)

    def _distort(self, encoder: Encoder, prompt: Prompt, seed: str, strength: float) -> Prompt:
        """Another id, for other random numbers in sampling: an image may come out as it was."""
        altered = alter_images(encoder, prompt, self.effect, f"distortion/{seed}", strength)
        problem = replace(altered.problem, id=f"{prompt.problem.id} (distorted)")
        return replace(altered, problem=problem)
