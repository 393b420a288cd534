from random import Random

import pytest

from reasonrft.tasks.box_maths import average_precision, iou, mean_iou, pairs_up

A, B, C = (0, 0, 10, 10), (100, 0, 110, 10), (200, 0, 210, 10)


@pytest.mark.parametrize(
    ("other", "share"),
    [
        (A, 1.0),
        ((0, 0, 10, 5), 50 / 100),
        ((5, 0, 15, 10), 50 / 150),
        ((5, 5, 15, 15), 25 / 175),
        ((2, 2, 4, 4), 4 / 100),
        ((10, 0, 20, 10), 0.0),  # side by side
        (B, 0.0),
    ],
)
def test_iou(other, share):
    assert iou(A, other) == iou(other, A) == pytest.approx(share)
    scaled = [tuple(3.5 * x for x in box) for box in (A, other)]
    assert iou(*scaled) == pytest.approx(share)


def test_mean_iou():
    half = (0, 0, 10, 5)
    assert mean_iou([A], [A]) == mean_iou([B, A], [A, B]) == mean_iou([], []) == 1
    assert mean_iou([half], [A]) == 0.5
    assert mean_iou([half, B], [A, B]) == (0.5 + 1) / 2
    assert mean_iou([A], [A, B]) == mean_iou([A, B], [A]) == 1 / 2
    assert mean_iou([], [A]) == mean_iou([A], []) == 0
    # The better of two boxes takes the gold one, and the other is too many.
    assert mean_iou([half, A], [A]) == 1 / 2


def test_pairs_up():
    assert pairs_up([])
    assert pairs_up([[True, True], [True, False]])  # the first gives way to the second
    assert not pairs_up([[True, False], [True, False]])
    assert not pairs_up([[False]])


@pytest.mark.parametrize(
    ("given", "gold", "precision"),
    [
        ([A, B], [A, B], 1.0),
        ([], [A], 0.0),
        ([A], [], 0.0),
        ([A, B], [A], 1.0),  # what comes after the last right one costs nothing
        ([B, A], [A], 0.5),  # precision is 0, then 1 of 2
        ([A], [A, B], 51 / 101),  # recalls 0 to 0.50
        # Precision 1 at recall 1/2 (51 recalls), 2/3 at recall 1 (50 recalls).
        ([A, C, B], [A, B], (51 + 50 * 2 / 3) / 101),
        # Precision 1/2 at recall 1/2, then 2/3 at recall 1, which holds for lower recalls too.
        ([C, A, B], [A, B], 2 / 3),
        ([A, A], [A, B], 51 / 101),  # a gold box is taken once
    ],
)
def test_average_precision(given, gold, precision):
    assert average_precision(given, gold, [0.5]) == pytest.approx(precision)


def test_a_threshold_is_met_by_its_equal():
    assert average_precision([(0, 0, 10, 5)], [A], [0.5]) == 1
    assert average_precision([(0, 0, 10, 5)], [A], [0.55]) == 0
    assert average_precision([(0, 0, 10, 5)], [A], [0.5, 0.55]) == 0.5


def test_average_precision_is_that_of_its_definition():
    rng = Random(0)

    def box():
        x, y = rng.randint(0, 30), rng.randint(0, 30)
        return x, y, x + rng.randint(5, 20), y + rng.randint(5, 20)

    for _ in range(30):
        given, gold = [box() for _ in range(rng.randint(0, 6))], [box() for _ in range(3)]
        assert average_precision(given, gold, [0.3]) == pytest.approx(slow(given, gold, 0.3))


def slow(given, gold, threshold):
    """COCO's definition, recall by recall."""
    left, hits, points = list(gold), 0, []
    for count, box in enumerate(given, 1):
        best = max(left, key=lambda due: iou(box, due), default=None)
        if best is not None and iou(box, best) >= threshold:
            left.remove(best)
            hits += 1
        points.append((hits / len(gold), hits / count))
    at = [max((p for r, p in points if r + 1e-9 >= k / 100), default=0) for k in range(101)]
    return sum(at) / 101
