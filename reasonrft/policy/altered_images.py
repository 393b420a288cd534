"""Prompts whose images are changed for one step: distorted, or masked."""

import random
from collections.abc import Callable

import numpy as np
from PIL import Image

from reasonrft.errors import BadInput
from reasonrft.policy.encoder import Encoder, Prompt

ImageEffect = Callable[[np.ndarray, random.Random], np.ndarray]
"""Another image of the same size: (H, W, 3) uint8, such as the effects of reasonrft.worlds."""


def alter_images(
    encoder: Encoder, prompt: Prompt, effect: ImageEffect, seed: str, strength: float = 1.0
) -> Prompt:
    """The same prompt with an effect on each of its images; the same seed gives the same pixels.

    Args:
        encoder: Makes prompts.
        prompt: As it was asked; without images it stays what it is.
        effect: What is done to each image, one after the other.
        seed: What is drawn from.
        strength: How far images go from what they were to what the effect makes of them.
    """
    if not prompt.problem.images:
        return prompt
    rng = random.Random(seed)
    images = [np.asarray(image) for image in encoder.images(prompt.problem)]
    altered = [_towards(image, _apply(effect, image, rng), strength) for image in images]
    return encoder.with_images(prompt, [Image.fromarray(image) for image in altered], True)


def _apply(effect: ImageEffect, image: np.ndarray, rng: random.Random) -> np.ndarray:
    altered = effect(image, rng)
    if altered.shape != image.shape:
        raise BadInput(
            f"{type(effect).__name__} makes an image of shape {list(altered.shape)} of one of "
            f"{list(image.shape)}: an effect must keep the size"
        )
    return altered


def _towards(image: np.ndarray, altered: np.ndarray, strength: float) -> np.ndarray:
    start = image.astype(np.float32)
    return (start + np.float32(strength) * (altered - start) + 0.5).astype(np.uint8)
