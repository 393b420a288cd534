"""How far a mean over seeds can be from the true one.

Two things vary: what a seed makes of the training, and which questions were drawn, the same for all
seeds. Their half widths are put together as those of independent sums.
"""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from reasonrft.evaluation.intervals import Z, wilson_interval

_T = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622)
"""Deviations that hold 95 % of Student's distribution, with 1 to 9 degrees of freedom."""


def seed_interval(accuracies: Sequence[float], questions: int) -> tuple[float, float]:
    """95 % interval of a mean accuracy: Wilson's over the questions, Student's over the seeds.

    A single seed says nothing of others: its interval is over the questions alone.

    Args:
        accuracies: Of each seed, on the same questions.
        questions: How many there are.
    """
    mean = fmean(accuracies)
    low, high = wilson_interval(mean, questions)
    of_seeds = half_width(accuracies)
    return (
        max(0.0, mean - math.hypot(mean - low, of_seeds)),
        min(1.0, mean + math.hypot(high - mean, of_seeds)),
    )


def half_width(values: Sequence[float]) -> float:
    """Of Student's 95 % interval of a mean; 0 for a single value."""
    count = len(values)
    return student(count - 1) * stdev(values) / math.sqrt(count) if count > 1 else 0.0


def student(freedom: int) -> float:
    """Deviations that hold 95 %: of a table, and further on by the expansion about the normal."""
    if freedom <= len(_T):
        return _T[freedom - 1]
    first = (Z**3 + Z) / (4 * freedom)
    second = (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * freedom**2)
    third = (3 * Z**7 + 19 * Z**5 + 17 * Z**3 - 15 * Z) / (384 * freedom**3)
    return Z + first + second + third
