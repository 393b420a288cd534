"""Intersection over union of boxes, their matching, and average precision.

A box is x1, y1, x2, y2 with x1 < x2 and y1 < y2, in any unit; its area is that of a plane, without
the pixel that some tools add to each side.
"""

from collections.abc import Sequence
from itertools import accumulate
from statistics import fmean

Corners = tuple[float, float, float, float]

COCO_THRESHOLDS = tuple(share / 100 for share in range(50, 100, 5))
"""0.50, 0.55 to 0.95: the IoUs over which COCO averages its precision."""
_RECALLS = 101
"""COCO reads precision at recalls 0, 0.01 to 1."""


def iou(first: Corners, second: Corners) -> float:
    """Area of the intersection over that of the union."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (_area(first) + _area(second) - shared)


def _area(box: Corners) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def mean_iou(given: Sequence[Corners], gold: Sequence[Corners]) -> float:
    """IoUs of pairs, the best pair first, over the longer list; 1 where both are empty.

    Boxes that are missing and those that are too many count as an IoU of 0.
    """
    pairs = sorted(
        ((iou(box, due), i, j) for i, box in enumerate(given) for j, due in enumerate(gold)),
        key=lambda pair: -pair[0],
    )
    total, taken, met = 0.0, set(), set()
    for share, i, j in pairs:
        if i not in taken and j not in met:
            total += share
            taken.add(i)
            met.add(j)
    longer = max(len(given), len(gold))
    return total / longer if longer else 1.0


def pairs_up(fits: Sequence[Sequence[bool]]) -> bool:
    """Whether each row can have a column of its own that fits it (a maximum matching)."""
    owner: dict[int, int] = {}

    def seat(row: int, tried: set[int]) -> bool:
        for column, fitting in enumerate(fits[row]):
            if fitting and column not in tried:
                tried.add(column)
                if column not in owner or seat(owner[column], tried):
                    owner[column] = row
                    return True
        return False

    return all(seat(row, set()) for row in range(len(fits)))


def average_precision(
    given: Sequence[Corners], gold: Sequence[Corners], thresholds: Sequence[float]
) -> float:
    """COCO's AP of one class, averaged over the IoUs from which on a box is right.

    `given` is in the order of falling confidence; each box takes the best gold box that is left.
    """
    if not gold:
        return 0.0
    shares = [[iou(box, due) for due in gold] for box in given]
    return fmean(_area_below(_hits(shares, threshold), len(gold)) for threshold in thresholds)


def _hits(shares: Sequence[Sequence[float]], threshold: float) -> list[bool]:
    """Which boxes, the most confident first, are right."""
    left = set(range(len(shares[0]))) if shares else set()
    hits = []
    for row in shares:
        best = max(left, key=lambda index: row[index], default=None)
        hits.append(best is not None and row[best] >= threshold)
        if best is not None and hits[-1]:
            left.remove(best)
    return hits


def _area_below(hits: Sequence[bool], due: int) -> float:
    """Precision, averaged over COCO's recalls: at each, the best there is at it or beyond."""
    points = [(right / due, right / count) for count, right in enumerate(accumulate(hits), 1)]
    total = best = 0.0
    for recall in reversed(range(_RECALLS)):
        while points and points[-1][0] >= recall / (_RECALLS - 1) - 1e-9:
            best = max(best, points.pop()[1])
        total += best
    return total / _RECALLS
