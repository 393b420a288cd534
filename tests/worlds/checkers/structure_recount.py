"""Answers found again by brute force: figures counted, dice tried out, cells looked up."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations, permutations
from typing import Any

from tests.worlds.checkers.structure_motion_pixels import motions_between

Segment = Sequence[Sequence[float]]
State = Mapping[str, Any]
TOLERANCE = 1e-6


def recount(asked: Sequence[str], facts: Mapping[str, str], state: State) -> str | None:
    """The answer of a question that no coordinates measure, or None if it is of no such kind."""
    kind = asked[0]
    if kind.startswith("count "):
        return str(count_shapes(kind.removeprefix("count "), state["segments"]))
    if kind == "opposite":
        return opposite(int(asked[1]), state["views"])
    if kind == "motion":
        return _only({name for name, _ in motions_between(state)})
    if kind == "rotation":
        return _only({str(degrees) for name, degrees in motions_between(state) if name == "turn"})
    if kind in ("difference", "sum", "range", "total", "above"):
        return str(_look_up(kind, asked[1:], {name: int(value) for name, value in facts.items()}))
    return None


def _only(answers: set[str]) -> str:
    return answers.pop() if len(answers) == 1 else f"one of {sorted(answers)}"


def _look_up(kind: str, names: Sequence[str], values: Mapping[str, int]) -> int:
    everything = sorted(values.values())
    if kind == "difference":
        return values[names[0]] - values[names[1]]
    if kind == "range":
        return everything[-1] - everything[0]
    if kind == "above":
        return len([value for value in everything if value >= int(names[0])])
    return sum(everything) if kind == "total" else values[names[0]] + values[names[1]]


def opposite(face: int, views: Sequence[Sequence[int]]) -> str:
    """Try every die: faces in the order top, bottom, front, back, right, left."""
    answers = set()
    for die in permutations(range(1, 7)):
        if all(_shows(die, view) for view in views):
            at = die.index(face)
            answers.add(str(die[at + 1 if at % 2 == 0 else at - 1]))
    return _only(answers)


def _shows(die: Sequence[int], view: Sequence[int]) -> bool:
    """Whether three faces meet at a corner in this turning sense."""
    top, bottom, front, back, right, left = die
    corners = [
        (top, front, right),
        (top, right, back),
        (top, back, left),
        (top, left, front),
        (bottom, right, front),
        (bottom, back, right),
        (bottom, left, back),
        (bottom, front, left),
    ]
    turned = {(a, b, c) for corner in corners for a, b, c in _turns(corner)}
    return tuple(view) in turned


def _turns(corner: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    a, b, c = corner
    return [(a, b, c), (b, c, a), (c, a, b)]


def count_shapes(shapes: str, segments: Sequence[Segment]) -> int:
    """Triangles, rectangles or squares whose sides lie on the segments."""
    if shapes == "triangles":
        return sum(_is_triangle(three) for three in combinations(segments, 3))
    upright = [s for s in segments if abs(s[0][0] - s[1][0]) < TOLERANCE]
    level = [s for s in segments if abs(s[0][1] - s[1][1]) < TOLERANCE]
    found = 0
    for one, two in combinations(upright, 2):
        for low, high in combinations(level, 2):
            if all(_meet(a, b) for a in (one, two) for b in (low, high)):
                wide, tall = abs(one[0][0] - two[0][0]), abs(low[0][1] - high[0][1])
                found += shapes == "rectangles" or abs(wide - tall) < TOLERANCE
    return found


def _is_triangle(three: Sequence[Segment]) -> bool:
    meetings = [_meet(a, b) for a, b in combinations(three, 2)]
    corners = [corner for corner in meetings if corner]
    apart = all(math.dist(a, b) > TOLERANCE for a, b in combinations(corners, 2))
    return len(corners) == 3 and apart


def _meet(one: Segment, two: Segment) -> tuple[float, float] | None:
    """The common point of two segments that are not parallel."""
    (ax, ay), (bx, by) = one
    (cx, cy), (dx, dy) = two
    ux, uy, vx, vy = bx - ax, by - ay, dx - cx, dy - cy
    cross = ux * vy - uy * vx
    if abs(cross) < TOLERANCE:
        return None
    s = ((cx - ax) * vy - (cy - ay) * vx) / cross
    t = ((cx - ax) * uy - (cy - ay) * ux) / cross
    if not (-TOLERANCE <= s <= 1 + TOLERANCE and -TOLERANCE <= t <= 1 + TOLERANCE):
        return None
    return ax + s * ux, ay + s * uy
