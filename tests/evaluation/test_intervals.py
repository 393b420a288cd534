import pytest

from reasonrft.evaluation.intervals import difference_interval, wilson_interval


@pytest.mark.parametrize(
    ("mean", "count", "expected"),
    [
        # (.5 + 3.8415/20 ± 1.96 sqrt(.025 + 3.8415/400)) / (1 + .38415)
        (0.5, 10, (0.2366, 0.7634)),
        (0.0, 10, (0.0, 0.2775)),
        (1.0, 10, (0.7225, 1.0)),
        (0.9, 1000, (0.8799, 0.9171)),
        (0.0, 0, (0.0, 1.0)),
    ],
)
def test_wilson(mean, count, expected):
    assert wilson_interval(mean, count) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("count", [1, 7, 1000])
@pytest.mark.parametrize("mean", [0.0, 1 / 3, 0.999, 1.0])
def test_the_mean_lies_within(mean, count):
    low, high = wilson_interval(mean, count)
    assert 0 <= low <= mean <= high <= 1


def test_it_covers_the_truth_19_times_of_20():
    # Exactly: of all counts that 40 tosses can give, those whose interval holds 0.3.
    from math import comb

    chances = [comb(40, hits) * 0.3**hits * 0.7 ** (40 - hits) for hits in range(41)]
    held = [low <= 0.3 <= high for low, high in (wilson_interval(h / 40, 40) for h in range(41))]
    covered = sum(chance for chance, inside in zip(chances, held, strict=True) if inside)
    assert covered == pytest.approx(0.95, abs=0.02)


def test_a_difference():
    # Newcombe (1998), example (a): 56 of 70 and 48 of 80, by his method 10.
    after, before = 56 / 70, 48 / 80
    bounds = difference_interval(
        before, wilson_interval(before, 80), after, wilson_interval(after, 70)
    )
    assert bounds == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert difference_interval(1.0, (0.7, 1.0), 1.0, (0.7, 1.0)) == pytest.approx((-0.3, 0.3))
