"""Boxes of labels, and what they must stay clear of."""

from dataclasses import dataclass

from reasonrft.worlds.structure.plane import Point, distance_to_chord, length, mix

Chord = tuple[Point, Point]
Edges = tuple[float, float, float, float]
"""Left, top, right, bottom."""

LEADING = 2
"""Pixels between texts one below the other."""


@dataclass(frozen=True, slots=True)
class Box:
    """A text's place in whole pixels: left and right edge, top, base line and bottom."""

    text: str
    left: int
    right: int
    top: int
    base: int
    bottom: int
    cap: float
    role: str

    @property
    def center(self) -> Point:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


@dataclass(frozen=True, slots=True)
class Obstacles:
    """What labels must stay clear of: chords, circles, marks, and the image's edge."""

    chords: list[Chord]
    rings: list[tuple[Point, float]]
    marks: list[Chord]
    clearance: float
    size: tuple[int, int]

    def free(self, box: Box) -> bool:
        width, height = self.size
        if box.left < 2 or box.top < 1 or box.right > width - 2 or box.bottom > height - 1:
            return False
        edges = (
            box.left - self.clearance,
            box.top - self.clearance,
            box.right + self.clearance,
            box.bottom + self.clearance,
        )
        return not any(
            meets_chord(edges, *chord) for chord in [*self.chords, *self.marks]
        ) and not any(meets_ring(edges, *ring) for ring in self.rings)

    def between(self, place: Point, target: Point) -> bool:
        """Whether a line lies between a label and what it names, so that it seems to name that."""
        near = mix(place, target, 0.85)
        return any(crosses(place, near, *chord) for chord in self.chords) or any(
            crosses_ring(place, near, *ring) for ring in self.rings
        )


def meets_chord(edges: Edges, start: Point, end: Point) -> bool:
    """Whether a segment touches a rectangle (left, top, right, bottom)."""
    left, top, right, bottom = edges
    first, last = 0.0, 1.0
    for here, there, low, high in (
        (start[0], end[0], left, right),
        (start[1], end[1], top, bottom),
    ):
        if here == there:
            if not low <= here <= high:
                return False
            continue
        a, b = (low - here) / (there - here), (high - here) / (there - here)
        first, last = max(first, min(a, b)), min(last, max(a, b))
    return first <= last


def meets_ring(edges: Edges, center: Point, radius: float) -> bool:
    """Whether a circle's outline touches a rectangle."""
    left, top, right, bottom = edges
    x, y = center
    near_x, near_y = max(left - x, 0, x - right), max(top - y, 0, y - bottom)
    far_x, far_y = max(abs(left - x), abs(right - x)), max(abs(top - y), abs(bottom - y))
    square = radius * radius
    return near_x * near_x + near_y * near_y <= square <= far_x * far_x + far_y * far_y


def crosses(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether two segments cross."""
    return _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def crosses_ring(a: Point, b: Point, center: Point, radius: float) -> bool:
    """Whether a segment crosses a circle's outline."""
    outermost = max(length(a, center), length(b, center))
    return distance_to_chord(center, a, b) < radius < outermost


def overlap(box: Box, other: Box, gap: int) -> bool:
    """Whether two boxes come so close that they read as one text, or touch as lines."""
    return (
        box.left < other.right + gap
        and other.left < box.right + gap
        and box.top < other.bottom + LEADING
        and other.top < box.bottom + LEADING
    )
