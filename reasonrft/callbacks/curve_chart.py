"""Curves as a picture, drawn with Pillow alone."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageColor, ImageDraw

from reasonrft.data.lettering import find_font

Point = tuple[float, float]

WIDTH, HEIGHT, COLUMNS = 560, 320, 2
"""Of a panel, and how many stand side by side."""
LEFT, RIGHT, TOP, BOTTOM = 64, 18, 66, 44
"""Margins around a panel's axes."""
FINE = 2
"""Everything is drawn so much larger, and reduced: lines become smooth."""

_INK, _FAINT, _GRID = "#1c2024", "#6b7280", "#e5e7eb"
# Okabe and Ito's, which colour-blind people tell apart.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_SMOOTHED = 12
"""Curves of fewer points are drawn as they are."""


@dataclass(frozen=True)
class Curve:
    """Points in the order of their steps."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Panel:
    """Curves on the same axes."""

    title: str
    curves: Sequence[Curve]


def draw_chart(panels: Sequence[Panel]) -> bytes:
    """A PNG of all panels."""
    rows = math.ceil(len(panels) / COLUMNS)
    columns = min(COLUMNS, len(panels))
    sheet = Image.new("RGB", (columns * WIDTH * FINE, rows * HEIGHT * FINE), "white")
    steps = _range([step for panel in panels for one in panel.curves for step, _ in one.points])
    for place, panel in enumerate(panels):
        corner = (place % COLUMNS * WIDTH, place // COLUMNS * HEIGHT)
        _Axes(sheet, corner, panel, steps).draw()
    file = io.BytesIO()
    sheet.reduce(FINE).save(file, "PNG", optimize=True)
    return file.getvalue()


def smooth(points: Sequence[Point]) -> list[Point]:
    """An exponential mean over about a tenth of a curve, without a pull towards zero."""
    decay = 1 - 10 / max(len(points), 11)
    total = weight = 0.0
    smoothed = []
    for step, value in points:
        total, weight = decay * total + value, decay * weight + 1
        smoothed.append((step, total / weight))
    return smoothed


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers within a range."""
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    unit = next(power * one for one in (1, 2, 5, 10, 20) if (high - low) / (power * one) <= most)
    return [number * unit for number in range(math.ceil(low / unit), math.floor(high / unit) + 1)]


class _Axes:
    """One panel on its part of the sheet."""

    def __init__(
        self, sheet: Image.Image, corner: tuple[int, int], panel: Panel, steps: Point
    ) -> None:
        self.pen, self.corner, self.panel = ImageDraw.Draw(sheet), corner, panel
        self.first, self.last = steps
        low, high = _range([value for curve in panel.curves for _, value in curve.points])
        room = 0.06 * (high - low)
        self.low, self.high = low - room, high + room

    def draw(self) -> None:
        self._text(self.panel.title, (LEFT, 14), 15)
        self._values()
        self._steps()
        for number, curve in enumerate(self.panel.curves):
            self._curve(curve, _COLOURS[number % len(_COLOURS)])
        self._legend()

    def _values(self) -> None:
        marks = ticks(self.low, self.high)
        digits = max(0, -math.floor(math.log10(marks[1] - marks[0]))) if len(marks) > 1 else 2
        for value in marks:
            left, right = (self._place((step, value)) for step in (self.first, self.last))
            self._line([left, right], _GRID)
            self._text(f"{value:,.{digits}f}", (LEFT - 8, left[1]), 12, _FAINT, "rm")

    def _steps(self) -> None:
        foot = HEIGHT - BOTTOM
        self._line([(LEFT, TOP), (LEFT, foot), (WIDTH - RIGHT, foot)], _FAINT)
        for step in ticks(self.first, self.last, 8):
            if step == round(step):
                x, _ = self._place((step, self.low))
                self._line([(x, foot), (x, foot + 4)], _FAINT)
                self._text(f"{step:,.0f}", (x, foot + 6), 12, _FAINT, "ma")
        self._text("step", (WIDTH - RIGHT, foot + 24), 12, _FAINT, "ra")

    def _curve(self, curve: Curve, colour: str) -> None:
        """The mean over the faint curve itself; of few points, those."""
        places = [self._place(point) for point in curve.points]
        if len(places) >= _SMOOTHED:
            self._line(places, _pale(colour))
            self._line([self._place(point) for point in smooth(curve.points)], colour, 2)
            return
        self._line(places, colour, 2)
        for x, y in places:
            self._dot(x, y, colour)

    def _legend(self) -> None:
        left = float(LEFT)
        for number, curve in enumerate(self.panel.curves):
            colour = _COLOURS[number % len(_COLOURS)]
            self._line([(left, 48), (left + 18, 48)], colour, 3)
            self._text(curve.name, (left + 24, 48), 12, anchor="lm")
            left += 44 + find_font(curve.name, 12).getlength(curve.name)

    def _place(self, point: Point) -> Point:
        across = (point[0] - self.first) / (self.last - self.first)
        up = (point[1] - self.low) / (self.high - self.low)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (
            HEIGHT - TOP - BOTTOM
        )

    def _fine(self, point: Point) -> Point:
        return FINE * (self.corner[0] + point[0]), FINE * (self.corner[1] + point[1])

    def _line(self, points: Sequence[Point], colour: str, width: int = 1) -> None:
        self.pen.line([self._fine(point) for point in points], colour, FINE * width, joint="curve")

    def _dot(self, x: float, y: float, colour: str) -> None:
        self.pen.ellipse([self._fine((x - 3, y - 3)), self._fine((x + 3, y + 3))], colour)

    def _text(
        self, text: str, point: Point, size: int, colour: str = _INK, anchor: str = "lm"
    ) -> None:
        font = find_font(text, FINE * size)
        self.pen.text(self._fine(point), text, colour, font, anchor)


def _range(values: Sequence[float]) -> tuple[float, float]:
    """From the least to the greatest, with room between them in any case."""
    low, high = min(values), max(values)
    room = 0.0 if high > low else max(abs(low) / 10, 1e-3)
    return low - room, high + room


def _pale(colour: str) -> str:
    red, green, blue = (255 - (255 - part) // 3 for part in ImageColor.getrgb(colour)[:3])
    return f"#{red:02x}{green:02x}{blue:02x}"
