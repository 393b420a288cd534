"""What all charts have in common: colours, smoothing, and names that stay as they are."""

import math
from collections.abc import Sequence

import numpy as np

Point = tuple[int, float]

SMOOTHED = 12
"""Curves of fewer points are drawn as they are."""
# Okabe and Ito's, which colour-blind people tell apart.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def smooth(points: Sequence[Point]) -> list[Point]:
    """A mean over about a tenth of the curve around each point, nearer ones weighing more."""
    steps, values = zip(*points, strict=True)
    deviation = len(points) / 30
    reach = math.ceil(3 * deviation)
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * deviation**2))

    def weighted_sums(row: np.ndarray) -> np.ndarray:
        return np.convolve(row, kernel, "full")[reach:-reach]

    # At the ends there are fewer points to weigh.
    means = weighted_sums(np.array(values)) / weighted_sums(np.ones(len(points)))
    return list(zip(steps, means.tolist(), strict=True))


def chart_text(name: str) -> str:
    """A name as matplotlib shows it: it reads formulas between dollar signs."""
    return name.replace("$", r"\$")


def legend_text(name: str) -> str:
    """The same for a legend: names that begin with "_" would be left out."""
    return f" {chart_text(name)}"
