"""A stroke font: glyphs as polylines, drawn once per size into a small coverage map.

Fonts drawn by a library depend on how that library was built; these strokes do not. A capital is 8
units high and stands on the base line 0. A stroke is a list of points "x,y"; with a leading ~ they
are control points of a smooth open curve, with a leading o of a smooth closed one.
"""

import itertools
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from reasonrft.worlds.structure.plane import Point
from reasonrft.worlds.structure.raster import Array, stroke_coverage

CAPITAL = 8.0
SPACING = 2.2

_STROKES = {
    "0": "o0,0 5,0 5,8 0,8",
    "1": "0.6,6.2 2.6,8 2.6,0",
    "2": "~0,5.8 0,8 5,8 5,4.6 0,0|0,0 5,0",
    "3": "~0.2,7 1,8 4.8,8 4.8,4.4 1.8,4.4|~1.8,4.4 5.2,4.4 5.2,0 1,0 0,1.4",
    "4": "4,0 4,8 0,2.4 5.4,2.4",
    "5": "4.6,8 0.8,8 0.5,4.2|~0.5,4.2 1.2,5.1 5.2,5.4 5.2,0 1,0 0,1.3",
    "6": "~4.4,7.4 3,8.4 0,7 0,4 0,2.5|o0,0 5,0 5,4.9 0,4.9",
    "7": "0,8 5,8 1.8,0",
    "8": "o0.4,4.3 4.6,4.3 4.6,8 0.4,8|o0,0 5,0 5,4.3 0,4.3",
    "9": "~0.6,0.6 2,-0.4 5,1 5,4 5,5.5|o0,3.1 5,3.1 5,8 0,8",
    "A": "0,0 2.9,8 5.8,0|1,2.7 4.8,2.7",
    "B": "0,0 0,8|~0,8 4.8,8 4.8,4.3 0,4.3|~0,4.3 5.4,4.3 5.4,0 0,0",
    "C": "~5.2,6.4 4.6,8 0,8 0,0 4.6,0 5.2,1.6",
    "D": "0,0 0,8|~0,8 5.6,8 5.6,0 0,0",
    "E": "4.6,8 0,8 0,0 4.8,0|0,4.2 4,4.2",
    "F": "4.6,8 0,8 0,0|0,4.2 3.8,4.2",
    "G": "~5.2,6.4 4.6,8 0,8 0,0 5.4,0 5.4,3.6|5.4,3.6 3.2,3.6",
    "H": "0,0 0,8|5.2,0 5.2,8|0,4.2 5.2,4.2",
    "I": "1,0 1,8|0,8 2,8|0,0 2,0",
    "J": "4,8 4,2.4|~4,2.4 4,0 0.4,0 0,2",
    "K": "0,0 0,8|5,8 0,3|1.8,4.8 5.2,0",
    "L": "0,8 0,0 4.6,0",
    "M": "0,0 0,8 3.2,2.4 6.4,8 6.4,0",
    "N": "0,0 0,8 5.2,0 5.2,8",
    "O": "o0,0 6,0 6,8 0,8",
    "P": "0,0 0,8|~0,8 5.2,8 5.2,3.8 0,3.8",
    "Q": "o0,0 6,0 6,8 0,8|3.6,2.2 5.8,-0.6",
    "R": "0,0 0,8|~0,8 5.2,8 5.2,3.9 0,3.9|2.6,3.9 5.2,0",
    "S": "~4.8,6.6 4.2,8 0.2,8 0.2,4.9 2.5,4.2 5,3.4 5,0 0.6,0 0,1.5",
    "T": "0,8 5.4,8|2.7,8 2.7,0",
    "U": "0,8 0,2.6|~0,2.6 0,0 5.2,0 5.2,2.6|5.2,2.6 5.2,8",
    "V": "0,8 2.8,0 5.6,8",
    "W": "0,8 1.9,0 3.9,6 5.9,0 7.8,8",
    "X": "0,0 5.2,8|0,8 5.2,0",
    "Y": "0,8 2.7,4 5.4,8|2.7,4 2.7,0",
    "Z": "0,8 5,8 0,0 5.2,0",
    "a": "o0,0 4,0 4,5.4 0,5.4|4,5.4 4,0",
    "b": "0,8 0,0|o0,0 4.2,0 4.2,5.4 0,5.4",
    "c": "~4,4.4 3.4,5.4 0,5.4 0,0 3.4,0 4,1",
    "d": "4.2,8 4.2,0|o0,0 4.2,0 4.2,5.4 0,5.4",
    "e": "0.1,2.9 4.1,2.9|~4.1,2.9 4.1,5.4 0,5.4 0,0 3.4,0 4,1",
    "f": "~3,7.6 1.2,8.6 1.2,5.6|1.2,6.4 1.2,0|0,5.2 2.8,5.2",
    "g": "o0,0 4.2,0 4.2,5.4 0,5.4|4.2,5.4 4.2,0|~4.2,0 4.2,-2.6 0.8,-2.6 0.2,-1.6",
    "h": "0,8 0,0|~0,3.4 0.4,5.4 4,5.4 4,3|4,3 4,0",
    "i": "0.6,5.4 0.6,0|0.6,7.6 0.6,7.9",
    "j": "1.8,5.4 1.8,-1|~1.8,-1 1.8,-2.6 0,-2.4|1.8,7.6 1.8,7.9",
    "k": "0,8 0,0|3.8,5.4 0,2|1.4,3.2 4,0",
    "l": "0.6,8 0.6,0",
    "m": "0,5.4 0,0|~0,3.6 0.4,5.4 3,5.4 3,3.2|3,3.2 3,0|~3,3.6 3.4,5.4 6,5.4 6,3.2|6,3.2 6,0",
    "n": "0,5.4 0,0|~0,3.4 0.4,5.4 4,5.4 4,3|4,3 4,0",
    "o": "o0,0 4.4,0 4.4,5.4 0,5.4",
    "p": "0,5.4 0,-2.6|o0,0 4.2,0 4.2,5.4 0,5.4",
    "q": "4.2,5.4 4.2,-2.6|o0,0 4.2,0 4.2,5.4 0,5.4",
    "r": "0,5.4 0,0|~0,3 0.4,5.4 2.8,5.2",
    "s": "~3.6,4.5 3.2,5.4 0.2,5.4 0.2,3.2 1.9,2.8 3.8,2.4 3.8,0 0.4,0 0,1",
    "t": "1.2,7.4 1.2,1.6|~1.2,1.6 1.2,0 3,0.2|0,5.2 2.8,5.2",
    "u": "0,5.4 0,2|~0,2 0,0 3.6,0 4,2|4,5.4 4,0",
    "v": "0,5.4 2,0 4,5.4",
    "w": "0,5.4 1.5,0 3,4.2 4.5,0 6,5.4",
    "x": "0,0 4.2,5.4|0,5.4 4.2,0",
    "y": "0,5.4 2.1,0.4|4.2,5.4 1,-2.6",
    "z": "0,5.4 4,5.4 0,0 4.2,0",
    "°": "o0,5.6 2.4,5.6 2.4,8 0,8",
    "√": "0,3.6 1,4.2 2.4,0 4.6,9 5.2,9",
    "π": "0,5 4.8,5|1.4,5 1,0|3.4,5 3.4,1|~3.4,1 3.4,0 4.6,0.3",
    "+": "0,3.4 4.4,3.4|2.2,1.2 2.2,5.6",
    "-": "0,3.4 4,3.4",
    "/": "0,-0.8 3.4,8.4",
    "=": "0,4.6 4.4,4.6|0,2.4 4.4,2.4",
    "(": "~2,9 0,6.5 0,1 2,-1.4",
    ")": "~0,9 2,6.5 2,1 0,-1.4",
    "∠": "4.8,7 0,0 5.4,0",
    "?": "~0,6.4 0,8 4.4,8 4.4,5.4 2.2,4.4 2.2,2.4|2.2,0.1 2.2,0.4",
    ".": "0.4,0.1 0.4,0.4",
    ",": "0.8,0.5 0,-1.4",
    ":": "0.4,0.1 0.4,0.4|0.4,4.4 0.4,4.7",
    " ": "",
}
LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


@lru_cache(maxsize=256)
def strokes(character: str) -> list[list[Point]]:
    """The polylines of a glyph in font units."""
    return [_polyline(stroke) for stroke in _STROKES[character].split("|") if stroke]


def advance(character: str, cap: float) -> int:
    """Whole pixels from one glyph's left edge to the next one's."""
    points = [point for line in strokes(character) for point in line]
    return round((max((x for x, _ in points), default=1.2) + SPACING) * cap / CAPITAL)


def text_width(text: str, cap: float) -> int:
    return sum(advance(character, cap) for character in text) - round(SPACING * cap / CAPITAL)


def rise_and_drop(text: str, cap: float) -> tuple[int, int]:
    """Whole pixels that a text reaches above and below its base line."""
    heights = [y for character in text for line in strokes(character) for _, y in line] or [0.0]
    unit = cap / CAPITAL
    return round(max(max(heights), 5.0) * unit) + 1, round(max(-min(heights), 0.0) * unit) + 1


@lru_cache(maxsize=4096)
def glyph_coverage(character: str, cap: float, weight: float, slant: float) -> Array:
    """How much of each pixel a glyph covers, with its origin at `glyph_origin`."""
    unit = cap / CAPITAL
    rise, drop = round(10 * unit), round(3 * unit)
    width = advance(character, cap) + round(3 * unit)
    cover = np.zeros((rise + drop + 2, width + 2 * round(2 * unit) + 2))
    left, base = round(2 * unit) + 1, rise + 1
    for line in strokes(character):
        # The lean turns about half the x-height, so that a leaning text keeps its place.
        shape = [(left + (x + slant * (y - 2.7)) * unit, base - y * unit) for x, y in line]
        stroke_coverage(cover, shape, weight)
    return cover


def glyph_origin(cap: float) -> tuple[int, int]:
    """Where a glyph's origin lies in its coverage map, in pixels from the top left."""
    unit = cap / CAPITAL
    return round(2 * unit) + 1, round(10 * unit) + 1


def _polyline(stroke: str) -> list[Point]:
    kind = stroke[0] if stroke[0] in "~o" else ""
    controls = [_point(pair) for pair in stroke.removeprefix(kind).split()]
    return controls if not kind else list(_smooth(controls, closed=kind == "o"))


def _point(pair: str) -> Point:
    x, y = pair.split(",")
    return float(x), float(y)


def _smooth(controls: list[Point], closed: bool) -> Iterator[Point]:
    """A quadratic B-spline, as short chords."""
    if closed:
        around = [*controls, controls[0], controls[1]]
        knots = [_middle(*pair) for pair in itertools.pairwise(around)]
        bends = around[1:-1]
    else:
        inner = controls[1:-1]
        middles = [_middle(*pair) for pair in itertools.pairwise(inner)]
        knots, bends = [controls[0], *middles, controls[-1]], inner
    yield knots[0]
    for start, bend, end in zip(knots[:-1], bends, knots[1:], strict=True):
        for step in range(1, 5):
            yield _bezier(start, bend, end, step / 4)


def _middle(a: Point, b: Point) -> Point:
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2


def _bezier(a: Point, b: Point, c: Point, t: float) -> Point:
    u = 1 - t
    return (
        u * u * a[0] + 2 * u * t * b[0] + t * t * c[0],
        u * u * a[1] + 2 * u * t * b[1] + t * t * c[1],
    )
