"""Points and vectors of the plane.

Points that a topology makes go through `settle`, which drops the last bits that a sine may get
differently on another machine; pixel coordinates go through `snap` for the same reason.
"""

import math

Point = tuple[float, float]

SUBPIXELS = 64


def settle(point: Point) -> Point:
    return round(point[0], 9) + 0.0, round(point[1], 9) + 0.0


def snap(value: float) -> float:
    """A pixel coordinate on a grid that is much coarser than what machines disagree about."""
    return math.floor(value * SUBPIXELS + 0.5) / SUBPIXELS


def polar(center: Point, radius: float, degrees: float) -> Point:
    turn = math.radians(degrees)
    return settle((center[0] + radius * math.cos(turn), center[1] + radius * math.sin(turn)))


def mix(a: Point, b: Point, t: float) -> Point:
    """The point that divides a segment at t."""
    return settle((a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])))


def middle(a: Point, b: Point) -> Point:
    return mix(a, b, 0.5)


def length(a: Point, b: Point) -> float:
    dx, dy = b[0] - a[0], b[1] - a[1]
    return math.sqrt(dx * dx + dy * dy)


def unit(a: Point, b: Point) -> Point:
    """The direction from one point to another."""
    size = length(a, b) or 1.0
    return (b[0] - a[0]) / size, (b[1] - a[1]) / size


def dot(a: Point, b: Point) -> float:
    return a[0] * b[0] + a[1] * b[1]


def nearest_on(point: Point, start: Point, end: Point) -> Point:
    """The point of a segment that is nearest to a given one."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    square = dx * dx + dy * dy or 1.0
    t = min(max(((point[0] - start[0]) * dx + (point[1] - start[1]) * dy) / square, 0.0), 1.0)
    return start[0] + t * dx, start[1] + t * dy


def distance_to_chord(point: Point, start: Point, end: Point) -> float:
    return length(point, nearest_on(point, start, end))


def crossing(a: Point, b: Point, c: Point, d: Point) -> Point:
    """Where the lines AB and CD meet."""
    ux, uy, vx, vy = b[0] - a[0], b[1] - a[1], d[0] - c[0], d[1] - c[1]
    t = ((c[0] - a[0]) * vy - (c[1] - a[1]) * vx) / (ux * vy - uy * vx)
    return settle((a[0] + t * ux, a[1] + t * uy))


def triangle(base: float, left: float, right: float) -> tuple[Point, Point, Point]:
    """Corners left, right, top of a triangle with this base and these angles in degrees."""
    side = base * math.sin(math.radians(right)) / math.sin(math.radians(180 - left - right))
    return (0.0, 0.0), (base, 0.0), polar((0.0, 0.0), side, left)


def triangle_of_sides(base: float, left: float, right: float) -> tuple[Point, Point, Point]:
    """Corners left, right, top of a triangle with these sides."""
    x = (base * base + left * left - right * right) / (2 * base)
    return (0.0, 0.0), (base, 0.0), settle((x, math.sqrt(left * left - x * x)))
