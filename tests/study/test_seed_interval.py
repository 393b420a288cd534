from math import sqrt

import pytest

from reasonrft.evaluation.intervals import wilson_interval
from reasonrft.study.seed_interval import half_width, seed_interval, student


def test_one_seed_has_the_interval_of_its_questions():
    assert seed_interval([0.6], 300) == pytest.approx(wilson_interval(0.6, 300))


def test_both_half_widths_are_put_together():
    # Mean 0.5, deviation 0.1: Student's half width is 4.3027 x 0.1 / sqrt(3) = 0.248416.
    accuracies = [0.4, 0.5, 0.6]
    assert half_width(accuracies) == pytest.approx(4.3027 * 0.1 / sqrt(3))
    # Wilson's of 0.5 in 100: centre 0.5, half width 0.0962.
    low, high = seed_interval(accuracies, 100)
    half = sqrt(0.248416**2 + (0.5 - wilson_interval(0.5, 100)[0]) ** 2)
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-5)


def test_seeds_that_agree_leave_the_questions():
    assert seed_interval([0.3, 0.3, 0.3], 50) == pytest.approx(wilson_interval(0.3, 50))


def test_an_interval_stays_within_what_there_is():
    low, high = seed_interval([0.0, 0.5, 1.0], 10)
    assert (low, high) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("freedom", "known"), [(2, 4.3027), (9, 2.2622), (10, 2.2281), (30, 2.0423)]
)
def test_student_is_as_in_tables(freedom, known):
    assert student(freedom) == pytest.approx(known, abs=2e-4)
