"""Measuring angles, lengths, arcs and areas on a figure's coordinates."""

import itertools
import math
from collections.abc import Callable, Sequence

Place = Sequence[float]


def _minus(a: Place, b: Place) -> list[float]:
    return [x - y for x, y in zip(a, b, strict=True)]


def _inner(a: Place, b: Place) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def distance(a: Place, b: Place) -> float:
    return math.dist(a, b)


def angle(side: Place, vertex: Place, other: Place) -> float:
    """Degrees between two rays."""
    one, two = _minus(side, vertex), _minus(other, vertex)
    return math.degrees(
        math.acos(_inner(one, two) / math.sqrt(_inner(one, one) * _inner(two, two)))
    )


def arc(center: Place, start: Place, end: Place) -> float:
    """Degrees counter-clockwise from one point of a circle to another."""
    first = math.atan2(start[1] - center[1], start[0] - center[0])
    last = math.atan2(end[1] - center[1], end[0] - center[0])
    return math.degrees(last - first) % 360


def area(*corners: Place) -> float:
    """Shoelace formula."""
    around = [*corners, corners[0]]
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in itertools.pairwise(around))) / 2


def perimeter(*corners: Place) -> float:
    around = [*corners, corners[0]]
    return sum(distance(a, b) for a, b in itertools.pairwise(around))


def box_volume(a: Place, b: Place, c: Place, d: Place) -> float:
    """The determinant of three edges from a corner."""
    (p, q, r), (s, t, u), (v, w, x) = _minus(b, a), _minus(c, a), _minus(d, a)
    return abs(p * (t * x - u * w) - q * (s * x - u * v) + r * (s * w - t * v))


def box_surface(a: Place, b: Place, c: Place, d: Place) -> float:
    """Twice the areas of the three parallelograms at a corner."""
    edges = [_minus(point, a) for point in (b, c, d)]
    pairs = ((edges[0], edges[1]), (edges[0], edges[2]), (edges[1], edges[2]))
    return 2 * sum(math.sqrt(_inner(u, u) * _inner(v, v) - _inner(u, v) ** 2) for u, v in pairs)


def _ratio(function: Callable[[float], float]) -> Callable[..., float]:
    return lambda side, vertex, other: function(math.radians(angle(side, vertex, other)))


MEASURES: dict[str, Callable[..., float]] = {
    "angle": angle,
    "length": distance,
    "arc": arc,
    "area": area,
    "perimeter": perimeter,
    "height": lambda point: point[1],
    "box volume": box_volume,
    "box surface": box_surface,
    "wedge volume": lambda a, b, c, d: box_volume(a, b, c, d) / 2,
    "circumference": lambda center, point: 2 * math.pi * distance(center, point),
    "circle area": lambda center, point: math.pi * distance(center, point) ** 2,
    "sector area": lambda center, a, b: (
        angle(a, center, b) / 360 * math.pi * distance(center, a) ** 2
    ),
    "sin": _ratio(math.sin),
    "cos": _ratio(math.cos),
    "tan": _ratio(math.tan),
}
