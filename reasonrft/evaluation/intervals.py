"""How far a measured accuracy can be from the true one."""

import math
from collections.abc import Sequence

Z = 1.959963984540054
"""Of a normal distribution, 95 % lies within this many deviations."""


def wilson_interval(mean: float, count: float, z: float = Z) -> tuple[float, float]:
    """Wilson's interval of a proportion: the 95 % one, or one of so many deviations.

    For partial credit it is wider than needed: of all values from 0 to 1 with the same mean, those
    that are only 0 or 1 vary most.
    """
    if count == 0:
        return 0.0, 1.0
    centre = mean + z**2 / (2 * count)
    spread = z * math.sqrt(mean * (1 - mean) / count + z**2 / (4 * count**2))
    scale = 1 + z**2 / count
    # Rounding must not put the mean itself outside.
    low, high = (centre - spread) / scale, (centre + spread) / scale
    return max(0.0, min(low, mean)), min(1.0, max(high, mean))


def difference_interval(
    before: float, before_bounds: Sequence[float], after: float, after_bounds: Sequence[float]
) -> tuple[float, float]:
    """Newcombe's 95 % interval of the difference of two proportions with Wilson's intervals.

    Where both are of the same problems it is wider than needed: what is easy stays easy.
    """
    change = after - before
    down = math.hypot(after - after_bounds[0], before_bounds[1] - before)
    up = math.hypot(after_bounds[1] - after, before - before_bounds[0])
    return change - down, change + up
