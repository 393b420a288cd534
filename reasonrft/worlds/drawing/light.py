"""Effects on images (light, noise, blur, JPEG, patches), each drawn from one `Random`."""

import io
import math
import random
from collections.abc import Sequence

import numpy as np
from PIL import Image

from reasonrft.errors import BadInput

Range = tuple[float, float]

# Standard deviation of the sum of four bytes: 2 sqrt((256^2 - 1) / 12).
_BYTES_DEVIATION = 147.80


class Effect:
    """A change of a whole image."""

    def __call__(self, pixels: np.ndarray, rng: random.Random) -> np.ndarray:
        """Another image of the same size."""  # (H, W, 3) uint8
        raise NotImplementedError(f"{type(self).__name__} must implement __call__")


class RandomLight(Effect):
    """Another exposure, tint and gradient for each image."""

    def __init__(
        self,
        gamma: Range = (0.6, 2.2),
        gain: Range = (0.5, 1.15),
        saturation: Range = (0.5, 1.2),
        tint: Range = (0.9, 1.1),
        gradient: float = 0.25,
        noise: float = 0.015,
    ) -> None:
        """
        Args:
            gamma: Exponents of brightness.
            gain: Factors of brightness.
            saturation: Factors of the distance from gray.
            tint: Factors of each channel.
            gradient: Largest change of brightness from one edge to the other, along each axis.
            noise: Standard deviation of each byte, as a share of white.
        """
        self.gamma, self.gain, self.saturation = gamma, gain, saturation
        self.tint, self.gradient, self.noise = tint, gradient, noise

    def __call__(self, pixels: np.ndarray, rng: random.Random) -> np.ndarray:
        gamma, gain = rng.uniform(*self.gamma), rng.uniform(*self.gain)
        saturation = rng.uniform(*self.saturation)
        slope = _slope(pixels.shape, rng, self.gradient)
        channels = []
        for i in range(3):
            factor = 255 * gain * rng.uniform(*self.tint)
            # Rounded, because powers differ in their last bit from machine to machine.
            curve = [round(factor * (level / 255) ** gamma * 1024) / 1024 for level in range(256)]
            channels.append(np.array(curve, np.float32)[pixels[..., i]] * slope)
        gray = (channels[0] + channels[1] + channels[2]) / 3
        levels = np.stack([gray + saturation * (c - gray) for c in channels], axis=-1)
        return _bytes(_noisy(levels, rng, self.noise))


class SensorNoise(Effect):
    """Normally distributed noise on every byte."""

    def __init__(self, amount: Range = (0.0, 0.03)) -> None:
        """
        Args:
            amount: Standard deviations, as shares of white.
        """
        self.amount = amount

    def __call__(self, pixels: np.ndarray, rng: random.Random) -> np.ndarray:
        return _bytes(_noisy(pixels.astype(np.float32), rng, rng.uniform(*self.amount)))


class Blur(Effect):
    """An image out of focus."""

    def __init__(self, radius: Range = (0.0, 1.0)) -> None:
        """
        Args:
            radius: Standard deviations in pixels.
        """
        self.radius = radius

    def __call__(self, pixels: np.ndarray, rng: random.Random) -> np.ndarray:
        variance = rng.uniform(*self.radius) ** 2
        passes = math.ceil(variance / 0.5)
        levels = pixels.astype(np.float32)
        for _ in range(passes):
            # Three taps (w, 1 - 2w, w) have the variance 2w.
            levels = _smeared(levels, variance / (2 * passes))
        return _bytes(levels)


class Compression(Effect):
    """JPEG artefacts; their pixels depend on the version of libjpeg."""

    def __init__(self, quality: tuple[int, int] = (30, 95)) -> None:
        """
        Args:
            quality: Pillow's qualities, from 1 to 95.
        """
        self.quality = quality

    def __call__(self, pixels: np.ndarray, rng: random.Random) -> np.ndarray:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=rng.randint(*self.quality))
        with Image.open(file) as image:
            return np.asarray(image.convert("RGB"))


class BlackPatches(Effect):
    """Some of the squares that an image is cut into are black."""

    def __init__(self, share: float = 0.6, patch: int = 14) -> None:
        """
        Args:
            share: Share of the squares.
            patch: Width and height of a square in pixels.
        """
        if not 0 < share <= 1 or patch < 1:
            raise BadInput(
                f"share must be above 0 and at most 1, and patch at least 1, not {share} and "
                f"{patch}"
            )
        self.share, self.patch = share, patch

    def __call__(self, pixels: np.ndarray, rng: random.Random) -> np.ndarray:
        rows, columns = (math.ceil(size / self.patch) for size in pixels.shape[:2])
        black = np.zeros(rows * columns, bool)
        black[rng.sample(range(len(black)), round(self.share * len(black)))] = True
        mask = black.reshape(rows, columns).repeat(self.patch, 0).repeat(self.patch, 1)
        return np.where(mask[: pixels.shape[0], : pixels.shape[1], None], np.uint8(0), pixels)


def apply(effects: Sequence[Effect], pixels: np.ndarray, rng: random.Random) -> np.ndarray:
    """Apply the effects to an image, in their order."""
    for effect in effects:
        pixels = effect(pixels, rng)
    return pixels


def _slope(shape: tuple[int, ...], rng: random.Random, most: float) -> np.ndarray:
    """Factors around 1 that change linearly over the image."""
    down, right = rng.uniform(-most, most), rng.uniform(-most, most)
    rows = (np.arange(shape[0]) / shape[0] - 0.5) * down
    columns = (np.arange(shape[1]) / shape[1] - 0.5) * right
    return (1 + rows[:, None] + columns[None, :]).astype(np.float32)


def _noisy(levels: np.ndarray, rng: random.Random, amount: float) -> np.ndarray:
    """Levels plus sums of four random bytes, which are nearly normal."""
    draws = np.frombuffer(rng.randbytes(4 * levels.size), np.uint8).reshape(4, *levels.shape)
    total = draws.sum(axis=0, dtype=np.int16).astype(np.float32) - 510
    return levels + total * (255 * amount / _BYTES_DEVIATION)


def _smeared(levels: np.ndarray, share: float) -> np.ndarray:
    """Each pixel mixed with its neighbours above and below, then left and right."""
    for axis in (0, 1):
        edged = np.concatenate([levels.take([0], axis), levels, levels.take([-1], axis)], axis=axis)
        count = levels.shape[axis]
        before, after = (edged.take(range(i, i + count), axis) for i in (0, 2))
        levels = levels * (1 - 2 * share) + (before + after) * share
    return levels


def _bytes(levels: np.ndarray) -> np.ndarray:
    return (np.minimum(np.maximum(levels, 0), 255) + 0.5).astype(np.uint8)
