import math

import numpy as np
import pytest

from reasonrft.evaluation.intervals import wilson_interval
from reasonrft.report.estimates import estimate, estimate_means, gap, spread_of
from reasonrft.report.paired_tests import holm, mcnemar, student, two_sided


def column(*rights: int) -> np.ndarray:
    return np.array(rights, float)[:, None]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((0, 0), 1.0),
        ((5, 5), 1.0),
        # 2 (1 + 10 + 45) / 2^10
        ((2, 8), 112 / 1024),
        ((8, 2), 112 / 1024),
        # 2 / 2^6
        ((0, 6), 1 / 32),
    ],
)
def test_mcnemar(counts, expected):
    assert mcnemar(*counts) == pytest.approx(expected)


def test_mcnemar_of_many():
    # 2 P(X <= 450) of 1,000 tosses; normal with continuity: 2 P(Z >= 49.5 / sqrt(250)).
    assert mcnemar(450, 550) == pytest.approx(two_sided(49.5 / math.sqrt(250)), rel=0.01)


def test_holm():
    # Sorted .01 .02 .03 .04 times 4 3 2 1: .04 .06 .06 .04, and none below one before it.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("degrees", "expected"), [(1, 12.7062), (2, 4.3027), (4, 2.7764), (2.5, 3.5747), (30, 2.0423)]
)
def test_student_has_the_printed_quantiles(degrees, expected):
    # Tables of t at 95 %, two-sided; that of 2.5 degrees by its incomplete beta function.
    assert student(1.959964, degrees) == pytest.approx(expected, rel=1e-3)


def test_student_of_one_degree_is_cauchy():
    for z in (0.1, 1.0, 4.0, 8.0):
        assert student(z, 1) == pytest.approx(1 / math.tan(math.pi / 2 * two_sided(z)), rel=1e-3)


def test_one_run_has_the_interval_that_evaluation_prints():
    found = estimate(column(1, 1, 1, 0, 1, 0, 0, 1, 1, 1))
    assert (found.low, found.high) == pytest.approx(wilson_interval(0.7, 10))
    assert (found.mean, found.questions, found.runs) == (0.7, 10, 1)


def test_runs_that_answer_alike_tell_no_more_than_one():
    run = column(1, 1, 1, 0, 1, 0, 0, 1, 1, 1)
    assert estimate(np.repeat(run, 3, 1)).low == pytest.approx(estimate(run).low)


def test_nothing_right_is_not_taken_for_certain():
    found = estimate(np.zeros((100, 3)))
    assert (found.low, found.high) == pytest.approx(wilson_interval(0.0, 100))


def test_what_runs_differ_by_is_told_from_what_questions_do():
    # Runs' means 1, 3/4, 1/4 (variance 7/48): over 3 runs 7/144.
    # Questions' means 1, 2/3, 2/3, 1/3: variance 1/18, over 4 questions 1/72.
    # Sum of squares 8 - 16/3 = 8/3, of it questions 3 * 4 * 1/18 = 2/3, runs 4 * 2 * 7/48 = 7/6,
    # the rest 5/6: over 3 * 2 degrees of freedom 5/36, over 12 answers 5/432.
    values = np.array([[1, 1, 1], [1, 1, 0], [1, 1, 0], [1, 0, 0]], float)
    spread = spread_of(values)
    assert spread.questions == pytest.approx(1 / 72)
    assert spread.runs == pytest.approx(7 / 144 - 5 / 432)
    assert spread.degrees == 2
    # sqrt((1.96^2 / 72 + 4.3027^2 * 16 / 432) / (1/72 + 16/432)), of t = 4.3027
    assert spread.deviations(1.959964) == pytest.approx(3.8094, rel=1e-3)


def test_means_alone_have_the_interval_of_their_questions_and_of_their_runs():
    # Variances over 100 questions .25 / 100, over runs .01 / 3 less a third of that: both .0025.
    # They are off as 50 answers are, by sqrt((1.96^2 + 4.3027^2) / 2) deviations.
    found = estimate_means([0.4, 0.5, 0.6], 100)
    assert (found.low, found.high) == pytest.approx(wilson_interval(0.5, 50, 3.3432), abs=1e-4)
    assert (found.questions, found.runs) == (100, 3)
    # One run, or several that agree, leave the questions.
    for means in ([0.3], [0.3] * 3):
        found = estimate_means(means, 50)
        assert (found.low, found.high) == pytest.approx(wilson_interval(0.3, 50))
    assert estimate_means([0.0, 0.0], 50).high == pytest.approx(wilson_interval(0.0, 50)[1])


def test_a_gap_of_two_runs():
    # Both right 4, only ours 3, only theirs 1, none 2. p = 2 (1 + 4) / 2^4.
    ours, theirs = column(1, 1, 1, 1, 1, 1, 1, 0, 0, 0), column(1, 1, 1, 1, 0, 0, 0, 1, 0, 0)
    found = gap(ours, theirs)
    assert found.difference == pytest.approx(0.2)
    assert found.p == pytest.approx(10 / 16) and found.exact
    # Wilson: .7 in [.3968, .8922], .5 in [.2366, .7634].
    # phi = (4 * 2 - 3 * 1) / sqrt(7 * 3 * 5 * 5) = .2182
    down = math.sqrt(0.3032**2 - 2 * 0.2182 * 0.3032 * 0.2634 + 0.2634**2)
    up = math.sqrt(0.1922**2 - 2 * 0.2182 * 0.1922 * 0.2634 + 0.2634**2)
    assert (found.low, found.high) == pytest.approx((0.2 - down, 0.2 + up), abs=2e-4)


def test_two_sides_change_the_sign_alone():
    rng = np.random.default_rng(0)
    ours, theirs = rng.integers(0, 2, (60, 3)) * 1.0, rng.integers(0, 2, (60, 2)) * 1.0
    one, other = gap(ours, theirs), gap(theirs, ours)
    assert one.p == pytest.approx(other.p)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_the_interval_touches_0_where_p_is_5_percent():
    rng = np.random.default_rng(1)
    for _ in range(40):
        ours = rng.random((80, 3)) < 0.5 + 0.1 * rng.standard_normal(3)
        found = gap(ours * 1.0, (rng.random((80, 3)) < 0.35) * 1.0)
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_runs_of_the_same_seeds_differ_by_questions_alone():
    # Runs at 1/4, 2/4, 3/4 with images, and each one answer less without: the runs cancel out.
    own = np.array([[1, 1, 1], [0, 1, 1], [0, 0, 1], [0, 0, 0]], float)
    blind = np.array([[0, 0, 0], [0, 1, 1], [0, 0, 1], [0, 0, 0]], float)
    apart, together = gap(own, blind), gap(own, blind, same_runs=True)
    assert together.difference == apart.difference == pytest.approx(0.25)
    assert together.high - together.low < apart.high - apart.low


def test_equals_and_certainties():
    nothing = gap(np.zeros((50, 3)), np.zeros((50, 3)))
    assert nothing.p == pytest.approx(1.0) and nothing.low < 0 < nothing.high
    everything = gap(np.ones((50, 3)), np.zeros((50, 3)))
    assert everything.p < 1e-9 and everything.low > 0.8


def test_partial_credit_is_not_counted_as_right_or_wrong():
    rng = np.random.default_rng(2)
    theirs = rng.random((200, 1))
    found = gap(np.minimum(1, theirs + 0.05), theirs)
    assert not found.exact and found.p < 1e-6
    assert found.low > 0.03


def test_true_equality_is_rejected_once_in_twenty():
    """Three runs a side; questions differ in difficulty, runs in skill."""
    rng = np.random.default_rng(3)
    for skills in (0.0, 0.4):
        rejected = 0
        for _ in range(120):
            difficulty = 1.5 * rng.standard_normal((200, 1))
            ours, theirs = (answers(rng, skills, difficulty) for _ in range(2))
            rejected += gap(ours, theirs).p < 0.05
        assert rejected / 120 < 0.09, skills


def answers(rng, skills: float, difficulty: np.ndarray) -> np.ndarray:
    logits = difficulty + skills * rng.standard_normal(3)
    return (rng.random((200, 3)) < 1 / (1 + np.exp(-logits))) * 1.0
