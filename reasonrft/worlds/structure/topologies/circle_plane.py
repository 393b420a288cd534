"""Circles through given points."""

from reasonrft.worlds.structure.plane import Point, length, settle


def circle_through(a: Point, b: Point, c: Point) -> tuple[Point, float]:
    """Centre and radius of the circle through three points."""
    bx, by, cx, cy = b[0] - a[0], b[1] - a[1], c[0] - a[0], c[1] - a[1]
    double = 2 * (bx * cy - by * cx)
    first, second = bx * bx + by * by, cx * cx + cy * cy
    center = settle(
        (
            a[0] + (cy * first - by * second) / double,
            a[1] + (bx * second - cx * first) / double,
        )
    )
    return center, length(center, a)
