"""Painting a drawing: areas, lines and letters in a theme's colours."""

import math

import numpy as np
import numpy.typing as npt

from reasonrft.worlds.structure.boxes import Box
from reasonrft.worlds.structure.figure import Path
from reasonrft.worlds.structure.figure_layout import Drawing
from reasonrft.worlds.structure.glyphs import LETTERS, advance, glyph_coverage, glyph_origin
from reasonrft.worlds.structure.plane import Point
from reasonrft.worlds.structure.raster import Canvas
from reasonrft.worlds.structure.themes import Theme


def render(drawing: Drawing, theme: Theme) -> npt.NDArray[np.uint8]:
    """The image, (H, W, 3)."""
    canvas = Canvas(*drawing.size, theme.ground)
    for shape in drawing.shapes:
        if isinstance(shape, Path):
            _draw_path(canvas, shape, drawing.line, theme)
        elif shape.filled:
            canvas.disc(shape.center, shape.radius, theme.color(shape.role))
        else:
            canvas.ring(shape.center, shape.radius, drawing.line, theme.color(shape.role))
    for box in drawing.boxes:
        _draw_text(canvas, box, theme)
    return canvas.pixels()


def _draw_path(canvas: Canvas, path: Path, line: float, theme: Theme) -> None:
    color = theme.color(path.role)
    if path.filled:
        canvas.area(list(path.points), color)
    elif path.dashed:
        for start, end in zip(path.points, path.points[1:], strict=False):
            for dash in _dashes(start, end, 4 * line):
                canvas.stroke(dash, line * path.weight, color)
    else:
        canvas.stroke(list(path.points), line * path.weight, color)


def _dashes(start: Point, end: Point, size: float) -> list[list[Point]]:
    dx, dy = end[0] - start[0], end[1] - start[1]
    count = max(1, round(math.sqrt(dx * dx + dy * dy) / (2 * size)))
    parts = [(2 * i / (2 * count - 1), (2 * i + 1) / (2 * count - 1)) for i in range(count)]
    return [[(start[0] + t * dx, start[1] + t * dy) for t in part] for part in parts]


def _draw_text(canvas: Canvas, box: Box, theme: Theme) -> None:
    weight = max(1.0, 0.13 * box.cap)
    across, down = glyph_origin(box.cap)
    left = box.left
    for character in box.text:
        slant = theme.slant if character in LETTERS else 0.0
        cover = glyph_coverage(character, box.cap, weight, slant)
        canvas.blend(cover, left - across, box.base - down, theme.color(box.role))
        left += advance(character, box.cap)
