"""From a figure to pixels: where shapes, marks and labels lie in an image of a given size."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

from reasonrft.worlds.structure.boxes import Box, Obstacles
from reasonrft.worlds.structure.figure import Circle, Figure, Path
from reasonrft.worlds.structure.labels import place_labels
from reasonrft.worlds.structure.marks import draw_mark
from reasonrft.worlds.structure.plane import Point, snap
from reasonrft.worlds.structure.themes import Theme


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure with all places decided, in pixels with y down."""

    shapes: tuple[Path | Circle, ...]
    boxes: tuple[Box, ...]
    cap: float
    line: float
    margin: float
    size: tuple[int, int]


class Mapping:
    """From figure coordinates to pixels."""

    def __init__(self, figure: Figure, width: int, height: int, margin: float) -> None:
        left, bottom, right, top = figure.extent()
        across, up = max(right - left, 1e-9), max(top - bottom, 1e-9)
        self.sx, self.sy = (width - 2 * margin) / across, (height - 2 * margin) / up
        if not figure.stretch:
            self.sx = self.sy = min(self.sx, self.sy)
        self.x = width / 2 - self.sx * (left + right) / 2
        self.y = height / 2 + self.sy * (bottom + top) / 2

    def __call__(self, point: Point) -> Point:
        return snap(self.x + self.sx * point[0]), snap(self.y - self.sy * point[1])


def cap_height(width: int, height: int) -> float:
    """Height of capitals for an image of this size."""
    return max(6.5, round((4 + 0.026 * math.sqrt(width * height)) * 2) / 2)


def lay_out(figure: Figure, theme: Theme, width: int, height: int) -> Drawing | None:
    """Decide all places, or say None where the labels find no room."""
    cap = cap_height(width, height)
    margins = (0.6,) if figure.stretch else (1.2, 1.9, 2.8, 3.8)
    for margin in margins:
        if drawing := _try(figure, theme, width, height, cap, margin * cap):
            return drawing
    return None


def _try(
    figure: Figure, theme: Theme, width: int, height: int, cap: float, margin: float
) -> Drawing | None:
    place = Mapping(figure, width, height, margin)
    line = max(1.0, 0.0075 * math.sqrt(width * height)) * theme.weight
    shapes: list[Path | Circle] = [_moved(shape, place) for shape in figure.shapes]
    for mark in figure.marks:
        shapes += draw_mark(mark, [place(point) for point in mark.points], cap)
    obstacles = _obstacles(shapes, line / 2 + 1.0, (width, height))
    wanted = [(label, [place(point) for point in label.points]) for label in figure.labels]
    boxes = place_labels(wanted, obstacles, cap)
    if boxes is None:
        return None
    return Drawing(tuple(shapes), tuple(boxes), cap, line, margin, (width, height))


def _moved(shape: Path | Circle, place: Mapping) -> Path | Circle:
    if isinstance(shape, Path):
        return replace(shape, points=tuple(place(point) for point in shape.points))
    return replace(shape, center=place(shape.center), radius=snap(shape.radius * place.sx))


def _obstacles(shapes: list[Path | Circle], clearance: float, size: tuple[int, int]) -> Obstacles:
    """All that is drawn as a line, and marks; areas may be written on."""
    chords, rings, marks = [], [], []
    for shape in shapes:
        if isinstance(shape, Circle):
            rings += [] if shape.filled else [(shape.center, shape.radius)]
        elif shape.role == "mark":
            marks += list(pairwise(shape.points))
        elif not shape.filled:
            chords += list(pairwise(shape.points))
    return Obstacles(chords, rings, marks, clearance, size)
