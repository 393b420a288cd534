"""Tests of paired answers, corrections for many of them, and Student's distribution."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LARGEST_Z = 8.0
"""Deviations beyond which a p-value is as good as 0."""


def mcnemar(only_first: int, only_second: int) -> float:
    """McNemar's exact p-value, two-sided, from the questions that only one of two got right."""
    count = only_first + only_second
    fewer = min(only_first, only_second)
    tail = sum(math.comb(count, hits) for hits in range(fewer + 1))
    return min(1.0, 2 * tail / 2**count)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's corrected p-values, in the order given."""
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def two_sided(z: float) -> float:
    """How often a normal deviation is at least so large."""
    return math.erfc(z / math.sqrt(2))


def student(z: float, degrees: float) -> float:
    """The deviation that Student's t exceeds as often as a normal distribution exceeds z."""
    logs, angles = _student_tails(round(degrees, 2))
    angle = math.exp(np.interp(math.log(two_sided(min(z, LARGEST_Z))), logs, angles))
    return math.sqrt(degrees) / math.tan(angle)


@lru_cache
def _student_tails(degrees: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logarithms of two-sided tails, and of the angles where they begin.

    With t = sqrt(d) / tan(a), the tail beyond t is the integral of sin^(d - 1) from 0 to a, over
    that to pi / 2.
    """
    angles = np.geomspace(10 ** (-17 / degrees), math.pi / 2, 20_001)
    heights = np.sin(angles) ** (degrees - 1)
    areas = np.diff(angles) * (heights[1:] + heights[:-1]) / 2
    tails = np.concatenate(([angles[0] ** degrees / degrees], areas)).cumsum()
    return np.log(tails / tails[-1]), np.log(angles)
