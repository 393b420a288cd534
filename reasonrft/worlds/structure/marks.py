"""Marks of fixed size in pixels: right angles, angle arcs, ticks, arrow heads, dots."""

import math

from reasonrft.worlds.structure.figure import Mark, Path
from reasonrft.worlds.structure.plane import Point, snap, unit


def draw_mark(mark: Mark, points: list[Point], cap: float) -> list[Path]:
    """A mark as paths, in pixels with y down."""
    if mark.kind == "dot":
        return [_disc(points[0], 0.26 * cap)]
    if mark.kind == "right":
        return [_right_angle(points, 0.75 * cap)]
    if mark.kind == "arc":
        return [_angle_arc(points, (1.2 + 0.3 * ring) * cap) for ring in range(mark.count)]
    return _signs_on_segment(mark, points, cap)


def chain_of_arc(center: Point, radius: float, start: float, sweep: float) -> tuple[Point, ...]:
    """An arc as chords; angles in radians."""
    pieces = max(4, math.ceil(abs(sweep) * 8))
    return tuple(
        (
            snap(center[0] + radius * math.cos(start + sweep * step / pieces)),
            snap(center[1] + radius * math.sin(start + sweep * step / pieces)),
        )
        for step in range(pieces + 1)
    )


def _disc(center: Point, radius: float) -> Path:
    return Path(chain_of_arc(center, radius, 0, 2 * math.pi), "mark", filled=True)


def _right_angle(points: list[Point], size: float) -> Path:
    side, vertex, other = points
    (ax, ay), (bx, by) = unit(vertex, side), unit(vertex, other)
    x, y = vertex
    corners = [(ax, ay), (ax + bx, ay + by), (bx, by)]
    return Path(tuple((snap(x + size * u), snap(y + size * v)) for u, v in corners), "mark")


def _angle_arc(points: list[Point], radius: float) -> Path:
    side, vertex, other = points
    start = math.atan2(side[1] - vertex[1], side[0] - vertex[0])
    end = math.atan2(other[1] - vertex[1], other[0] - vertex[0])
    sweep = math.remainder(end - start, 2 * math.pi)
    return Path(chain_of_arc(vertex, radius, start, sweep), "mark")


def _signs_on_segment(mark: Mark, points: list[Point], cap: float) -> list[Path]:
    start, end = points
    ux, uy = unit(start, end)
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    shape = _TICK if mark.kind == "tick" else _HEAD
    paths = []
    for number in range(mark.count):
        along = (number - (mark.count - 1) / 2) * 0.4
        spots = [(u + along, v) for u, v in shape]
        moved = [(x + (u * ux - v * uy) * cap, y + (u * uy + v * ux) * cap) for u, v in spots]
        paths.append(Path(tuple((snap(px), snap(py)) for px, py in moved), "mark"))
    return paths


_TICK = ((0.0, -0.38), (0.0, 0.38))
_HEAD = ((-0.5, -0.4), (0.3, 0.0), (-0.5, 0.4))
"""Along the segment and across it, in heights of capitals."""
