"""Where labels go: near what they name, and off every line and every other label.

Each label has candidate places in order of liking; the first that is free is taken. Where a label
finds none, it is placed first in the next try.
"""

import math

from reasonrft.worlds.structure.boxes import Box, Obstacles, overlap
from reasonrft.worlds.structure.candidates import candidates
from reasonrft.worlds.structure.figure import Label
from reasonrft.worlds.structure.glyphs import rise_and_drop, text_width
from reasonrft.worlds.structure.plane import Point, length, nearest_on

TRIES = 8
ORDER = ["fixed", "angle", "arc", "segment", "point"]
"""The kinds with the least freedom come first."""

Wanted = tuple[Label, list[Point]]


def place_labels(wanted: list[Wanted], obstacles: Obstacles, cap: float) -> list[Box] | None:
    """Boxes in the order of the labels, or None where no try places them all."""
    order = sorted(range(len(wanted)), key=lambda i: ORDER.index(wanted[i][0].kind))
    anchors = [anchor(*item) for item in wanted]
    for _ in range(TRIES):
        placed: dict[int, Box] = {}
        for index in order:
            box = _first_free(index, wanted, anchors, placed, obstacles, cap)
            if box is None:
                break
            placed[index] = box
        else:
            return [placed[index] for index in range(len(wanted))]
        if index == order[0]:
            return None
        order.remove(index)
        order.insert(0, index)
    return None


def _first_free(
    index: int,
    wanted: list[Wanted],
    anchors: list[Point],
    placed: dict[int, Box],
    obstacles: Obstacles,
    cap: float,
) -> Box | None:
    label, points = wanted[index]
    rivals = [
        place
        for other, place in enumerate(anchors)
        if other != index and wanted[other][0].kind == label.kind and place != anchors[index]
    ]
    gap = round(0.5 * cap)
    for center in candidates(label, points, obstacles, cap):
        box = box_at(label, center, cap)
        if (
            obstacles.free(box)
            and not any(overlap(box, other, gap) for other in placed.values())
            and (label.kind == "fixed" or _nearest(box, anchors[index], rivals))
            and not obstacles.between(box.center, _named_place(label, points, box.center))
        ):
            return box
    return None


def anchor(label: Label, points: list[Point]) -> Point:
    """The point that a label must be nearest to, among those of its kind."""
    if label.kind == "segment":
        return (points[0][0] + points[1][0]) / 2, (points[0][1] + points[1][1]) / 2
    return points[1] if label.kind in ("angle", "arc") else points[0]


def _named_place(label: Label, points: list[Point], place: Point) -> Point:
    """The point of what a label names that it stands beside."""
    if label.kind == "segment":
        return nearest_on(place, points[0], points[1])
    return anchor(label, points)


def _nearest(box: Box, target: Point, rivals: list[Point]) -> bool:
    reach = length(box.center, target)
    return all(reach < length(box.center, rival) for rival in rivals)


def box_at(label: Label, center: Point, cap: float) -> Box:
    """The box of a label centred on a point, in whole pixels."""
    size = cap * label.scale
    width = text_width(label.text, size)
    rise, drop = rise_and_drop(label.text, size)
    left = math.floor(center[0] - width / 2 + 0.5)
    # Texts at fixed places stand in rows: there g and y must not lift the base line.
    lift = size / 2 if label.kind == "fixed" else (rise - drop) / 2
    base = math.floor(center[1] + lift + 0.5)
    return Box(label.text, left, left + width, base - rise, base, base + drop, size, label.role)
