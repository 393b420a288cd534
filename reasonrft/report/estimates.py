"""Accuracies over questions and runs, and gaps between them, with intervals that cover both.

All runs (seeds) of a row answer the same questions, so that a row is a table of Q questions x S
runs. What its mean may be off by has two parts (variances):

    questions: that of the questions' means over runs, over Q
    runs:      that of the runs' means over questions, over S, less what questions alone explain

Few runs tell little of the second part: in its place in an interval stands Student's t. What
resampling would give is no substitute: with three runs it rejects true equality too often where
runs differ, and too seldom where they do not (docs/report.md has figures).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reasonrft.evaluation.intervals import Z, wilson_interval
from reasonrft.report.paired_tests import LARGEST_Z, mcnemar, student, two_sided

Values = NDArray[np.float64]
"""(Q, S): what each question earned in each run, from 0 to 1."""
ALL = math.inf


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float
    questions: int
    runs: int


@dataclass(frozen=True)
class Gap:
    """A difference of two means with its 95 % interval."""

    difference: float
    low: float
    high: float
    p: float
    """How often a gap as large would come about between equals; two-sided."""
    questions: int
    exact: bool
    """Whether p is McNemar's."""


@dataclass(frozen=True)
class Spread:
    """What a mean may be off by."""

    questions: float
    """Variance that another choice of questions makes."""
    runs: float = 0.0
    """Variance that other runs make beyond that."""
    degrees: float = ALL
    """Degrees of freedom of the latter."""

    @property
    def total(self) -> float:
        return self.questions + self.runs

    def deviations(self, z: float) -> float:
        """How many standard deviations stand for z of a normal distribution."""
        if self.runs == 0:
            return z
        squares = z**2 * self.questions + student(z, self.degrees) ** 2 * self.runs
        return math.sqrt(squares / self.total)


def spread_of(values: Values) -> Spread:  # (Q, S)
    runs = values.shape[1]
    questions = float(values.mean(1).var()) / len(values)
    if runs == 1:
        return Spread(questions)
    return Spread(questions, max(0.0, _between(values) - _noise(values)), runs - 1)


def _between(values: Values) -> float:
    """Variance of the mean as the runs' means alone tell it."""
    runs = values.shape[1]
    return float(values.mean(0).var(ddof=1)) / runs if runs > 1 else 0.0


def _noise(values: Values) -> float:
    """Variance of the mean by what neither questions nor runs explain."""
    questions, runs = values.shape
    rest = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    return float(np.square(rest).sum()) / (max(1, questions - 1) * (runs - 1) * questions * runs)


def estimate(values: Values) -> Estimate:  # (Q, S)
    """The mean over questions and runs; of one run of 0 and 1, with Wilson's interval."""
    spread = spread_of(values)
    bounds = _bounds(values, spread, spread.deviations(Z))
    return Estimate(float(values.mean()), *bounds, *values.shape)


def _bounds(values: Values, spread: Spread, deviations: float) -> tuple[float, float]:
    """Wilson's interval for so many independent answers as would be off as much."""
    questions, runs = values.shape
    mean = min(1.0, max(0.0, float(values.mean())))
    single = mean * (1 - mean)
    most = questions * runs
    count = single / spread.total if spread.total > single / most else most
    return wilson_interval(mean, count if single else questions, deviations)


def gap(ours: Values, theirs: Values, same_runs: bool = False) -> Gap:  # (Q, S), (Q, R)
    """Ours less theirs, on the same questions in the same order.

    The interval is Newcombe's for paired proportions: the means' own intervals, joined by their
    correlation. p is McNemar's for two runs of 0 and 1, and else that of the widest interval
    without 0.

    Args:
        ours: What each question earned in each of our runs.
        theirs: The same in each of theirs.
        same_runs: Column by column both are of the same runs, asked in two ways.
    """
    means = float(ours.mean()), float(theirs.mean())
    sides = spread_of(ours), spread_of(theirs)
    spread = spread_of(ours - theirs) if same_runs else _spread_between(ours, theirs, sides)
    product = math.sqrt(sides[0].total * sides[1].total)
    shared = (sides[0].total + sides[1].total - spread.total) / (2 * product) if product else 0.0
    correlation = max(-1.0, min(1.0, shared))

    def interval(z: float) -> tuple[float, float]:
        deviations = spread.deviations(z)
        first = _bounds(ours, sides[0], deviations)
        second = _bounds(theirs, sides[1], deviations)
        return _joined(means, first, second, correlation)

    exact = ours.shape[1] == theirs.shape[1] == 1 and _is_binary(ours) and _is_binary(theirs)
    p = _exact_p(ours, theirs) if exact else _p_value(interval)
    return Gap(means[0] - means[1], *interval(Z), p, len(ours), exact)


def gap_of_means(ours: Estimate, theirs: Estimate) -> Gap:
    """Of two runs whose single answers were not kept: as if they had answered other questions.

    Where the questions are the same, the interval is wider than needed, and p is larger.
    """

    def interval(z: float) -> tuple[float, float]:
        sides = [wilson_interval(side.mean, side.questions, z) for side in (ours, theirs)]
        return _joined((ours.mean, theirs.mean), sides[0], sides[1], 0.0)

    questions = min(ours.questions, theirs.questions)
    return Gap(ours.mean - theirs.mean, *interval(Z), _p_value(interval), questions, False)


def _spread_between(ours: Values, theirs: Values, sides: tuple[Spread, Spread]) -> Spread:
    """Of a difference: questions are shared, runs are not."""
    questions = float((ours.mean(1) - theirs.mean(1)).var()) / len(ours)
    parts = [(_between(values), values.shape[1] - 1) for values in (ours, theirs)]
    squares = sum(between**2 / degrees for between, degrees in parts if degrees)
    # Welch's and Satterthwaite's.
    degrees = sum(between for between, _ in parts) ** 2 / squares if squares else ALL
    return Spread(questions, sides[0].runs + sides[1].runs, degrees)


def _joined(
    means: tuple[float, float],
    ours: tuple[float, float],
    theirs: tuple[float, float],
    correlation: float,
) -> tuple[float, float]:
    difference = means[0] - means[1]
    down = _side(means[0] - ours[0], theirs[1] - means[1], correlation)
    up = _side(ours[1] - means[0], means[1] - theirs[0], correlation)
    return difference - down, difference + up


def _side(first: float, second: float, correlation: float) -> float:
    return math.sqrt(max(0.0, first**2 - 2 * correlation * first * second + second**2))


def _is_binary(values: Values) -> bool:
    return bool(np.isin(values, (0.0, 1.0)).all())


def _exact_p(ours: Values, theirs: Values) -> float:
    return mcnemar(int((ours > theirs).sum()), int((ours < theirs).sum()))


def _p_value(interval: Callable[[float], tuple[float, float]]) -> float:
    """The level at which 0 lies on the edge of the interval."""
    inside, outside = LARGEST_Z, 0.0
    for _ in range(40):
        middle = (inside + outside) / 2
        low, high = interval(middle)
        if low <= 0 <= high:
            inside = middle
        else:
            outside = middle
    return two_sided(inside)


def estimate_means(means: Sequence[float], questions: int) -> Estimate:
    """Of runs whose single answers were not kept, only their accuracies on so many questions."""
    values = np.array(means)
    mean = float(values.mean())
    single = mean * (1 - mean) / questions
    spread = Spread(single)
    if len(values) > 1:
        between = float(values.var(ddof=1)) / len(values)
        spread = Spread(single, max(0.0, between - single / len(values)), len(values) - 1)
    count = questions * single / spread.total if single else questions
    bounds = wilson_interval(mean, count, spread.deviations(Z))
    return Estimate(mean, *bounds, questions, len(values))
