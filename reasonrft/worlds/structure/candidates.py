"""Places where a label may go, the best first."""

import math
from collections.abc import Iterator

from reasonrft.worlds.structure.boxes import Obstacles
from reasonrft.worlds.structure.figure import Label
from reasonrft.worlds.structure.glyphs import rise_and_drop, text_width
from reasonrft.worlds.structure.plane import Point, distance_to_chord, dot, length, snap, unit


def candidates(
    label: Label, points: list[Point], obstacles: Obstacles, cap: float
) -> Iterator[Point]:
    """Places to try, the best first."""
    width = text_width(label.text, cap * label.scale)
    half = (width / 2, sum(rise_and_drop(label.text, cap * label.scale)) / 2)
    gap = obstacles.clearance + 1
    if label.kind == "fixed":
        yield points[0]
    elif label.kind == "point":
        yield from _around(points[0], half, gap, obstacles)
    elif label.kind == "segment":
        yield from _beside(points[0], points[1], half, gap, cap, obstacles)
    elif label.kind == "angle":
        yield from _within(points, half, gap, cap)
    else:
        yield from _along_ray(points[0], points[1], half, gap, cap)


def _support(direction: Point, half: Point) -> float:
    """How far a box reaches from its centre towards a direction."""
    return abs(direction[0]) * half[0] + abs(direction[1]) * half[1]


_DIRECTIONS = [
    (snap(math.cos(step * math.pi / 12)), snap(math.sin(step * math.pi / 12))) for step in range(24)
]


def _around(point: Point, half: Point, gap: float, obstacles: Obstacles) -> Iterator[Point]:
    """Directions by how far they are from the lines that end or pass here, near ones first."""
    rays = _rays_at(point, obstacles)
    best = sorted(_DIRECTIONS, key=lambda way: max((dot(way, ray) for ray in rays), default=0.0))
    for extra in (0.0, 2.0, 5.0, 9.0):
        for way in best:
            reach = gap + extra + _support_ellipse(way, half)
            yield point[0] + reach * way[0], point[1] + reach * way[1]


def _support_ellipse(direction: Point, half: Point) -> float:
    """Between the ellipse in a box and the box: corners of letters are mostly empty."""
    x, y = direction[0] * half[0], direction[1] * half[1]
    return (math.sqrt(x * x + y * y) + _support(direction, half)) / 2


def _rays_at(point: Point, obstacles: Obstacles) -> list[Point]:
    rays = []
    for start, end in obstacles.chords:
        if distance_to_chord(point, start, end) < 2:
            rays += [unit(point, other) for other in (start, end) if length(point, other) > 2]
    for (x, y), radius in obstacles.rings:
        dx, dy = point[0] - x, point[1] - y
        away = math.sqrt(dx * dx + dy * dy)
        if abs(away - radius) < 2:
            rays += [(-dx / away, -dy / away), (-dy / away, dx / away), (dy / away, -dx / away)]
    return rays


def _beside(
    start: Point, end: Point, half: Point, gap: float, cap: float, obstacles: Obstacles
) -> Iterator[Point]:
    """Left and right of a segment, first on the side with more room, sliding from its middle."""
    ux, uy = unit(start, end)
    width, height = obstacles.size
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    outward = (x - width / 2) * -uy + (y - height / 2) * ux >= 0
    sides = [(-uy, ux), (uy, -ux)] if outward else [(uy, -ux), (-uy, ux)]
    for extra in (0.0, 2.0, 0.5 * cap):
        for t in (0.5, 0.42, 0.58, 0.34, 0.66, 0.27, 0.73):
            for side in sides:
                reach = gap + extra + _support(side, half)
                px, py = start[0] + t * (end[0] - start[0]), start[1] + t * (end[1] - start[1])
                yield px + reach * side[0], py + reach * side[1]


def _within(points: list[Point], half: Point, gap: float, cap: float) -> Iterator[Point]:
    """Inside an angle, from its vertex outwards."""
    side, vertex, other = points
    first, second = unit(vertex, side), unit(vertex, other)
    limit = 0.72 * min(length(vertex, side), length(vertex, other))
    for step in range(40):
        reach = gap + 0.8 * cap + step * 0.25 * cap
        if reach > limit:
            return
        for weight in (0.5, 0.42, 0.58, 0.34, 0.66):
            way = _toward(first, second, weight)
            yield vertex[0] + reach * way[0], vertex[1] + reach * way[1]


def _toward(first: Point, second: Point, weight: float) -> Point:
    x = (1 - weight) * first[0] + weight * second[0]
    y = (1 - weight) * first[1] + weight * second[1]
    return unit((0.0, 0.0), (x, y))


def _along_ray(
    center: Point, middle: Point, half: Point, gap: float, cap: float
) -> Iterator[Point]:
    """Outside an arc, then inside."""
    way = unit(center, middle)
    for side in (1, -1):
        for extra in (0.0, 2.0, 4.0, 0.8 * cap):
            reach = gap + extra + _support(way, half)
            for turn in (0.0, 0.35, -0.35, 0.7, -0.7):
                x, y = way[0] - turn * way[1] * cap / reach, way[1] + turn * way[0] * cap / reach
                yield middle[0] + side * reach * x, middle[1] + side * reach * y
