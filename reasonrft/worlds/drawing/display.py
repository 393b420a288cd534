"""Bytes of the display from linear light."""

import numpy as np

_LEVELS = 16384


def _byte(level: float) -> int:
    """sRGB's byte for a level of light from 0 to 1."""
    bent = 12.92 * level if level <= 0.0031308 else 1.055 * level ** (1 / 2.4) - 0.055
    return int(bent * 255 + 0.5)


_BYTES = np.array([_byte(i / (_LEVELS - 1)) for i in range(_LEVELS)], np.uint8)


def displayed(colors: list[np.ndarray], antialias: int) -> np.ndarray:
    """Pixels from light, each the mean of n by n."""
    channels = []
    for color in colors:
        level = np.minimum(np.maximum(color, 0), 1)
        if antialias > 1:
            level = _mean(level, antialias)
        channels.append(_BYTES[(level * (_LEVELS - 1) + 0.5).astype(np.int32)])
    return np.stack(channels, axis=-1)


def _mean(level: np.ndarray, n: int) -> np.ndarray:
    """Means of n by n, added in one order, since sums of arrays differ from machine to machine."""
    total = np.zeros((level.shape[0] // n, level.shape[1] // n), np.float32)
    for i in range(n):
        for j in range(n):
            total += level[i::n, j::n]
    return total * (1 / (n * n))
