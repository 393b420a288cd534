"""Antialiased strokes, discs and areas by distance, with arithmetic that is the same everywhere.

Only + - * /, square roots, comparisons and minima of single components reach the pixels, so that
every machine draws the same bytes. A pixel's centre lies at whole coordinates plus one half.
"""

import itertools
import math

import numpy as np
import numpy.typing as npt

from reasonrft.worlds.structure.plane import Point

Array = npt.NDArray[np.float64]
Color = tuple[int, int, int]


class Canvas:
    """An RGB image that grows by blending shapes over it."""

    def __init__(self, width: int, height: int, ground: Color) -> None:
        self.channels = [np.full((height, width), float(value)) for value in ground]
        self.width, self.height = width, height

    def pixels(self) -> npt.NDArray[np.uint8]:
        whole = [np.floor(channel + 0.5).astype(np.uint8) for channel in self.channels]
        return np.stack(whole, axis=-1)  # (H, W, 3)

    def blend(self, cover: Array, left: int, top: int, color: Color) -> None:
        """Lay a colour over the image where the coverage map at (left, top) says."""
        x0, y0 = max(left, 0), max(top, 0)
        x1 = min(left + cover.shape[1], self.width)
        y1 = min(top + cover.shape[0], self.height)
        if x0 >= x1 or y0 >= y1:
            return
        part = cover[y0 - top : y1 - top, x0 - left : x1 - left]
        for channel, value in zip(self.channels, color, strict=True):
            area = channel[y0:y1, x0:x1]
            area += part * (value - area)

    def stroke(self, points: list[Point], width: float, color: Color) -> None:
        """A polyline with round ends and joints."""
        left, top, cover = self._room(points, width / 2 + 1)
        stroke_coverage(cover, [(x - left, y - top) for x, y in points], width)
        self.blend(cover, left, top, color)

    def ring(self, center: Point, radius: float, width: float, color: Color) -> None:
        """A circle's outline."""
        left, top, cover = self._room([center], radius + width / 2 + 1)
        away = _distance_to(cover, center[0] - left, center[1] - top)
        self.blend(_soft(width / 2 - np.abs(away - radius)), left, top, color)

    def disc(self, center: Point, radius: float, color: Color) -> None:
        left, top, cover = self._room([center], radius + 1)
        away = _distance_to(cover, center[0] - left, center[1] - top)
        self.blend(_soft(radius - away), left, top, color)

    def area(self, points: list[Point], color: Color) -> None:
        """A filled polygon, even-odd."""
        left, top, cover = self._room(points, 1)
        self.blend(_polygon(cover, [(x - left, y - top) for x, y in points]), left, top, color)

    def _room(self, points: list[Point], reach: float) -> tuple[int, int, Array]:
        """An empty coverage map around some points, cut to the image."""
        xs, ys = [x for x, _ in points], [y for _, y in points]
        left, top = math.floor(max(min(xs) - reach, 0)), math.floor(max(min(ys) - reach, 0))
        right = math.ceil(min(max(xs) + reach, self.width))
        bottom = math.ceil(min(max(ys) + reach, self.height))
        return left, top, np.zeros((max(bottom - top, 0), max(right - left, 0)))


def stroke_coverage(cover: Array, points: list[Point], width: float) -> None:
    """Raise a coverage map to that of a polyline, chord by chord in its own small window."""
    reach = width / 2 + 1
    for start, end in itertools.pairwise(points):
        x0 = max(math.floor(min(start[0], end[0]) - reach), 0)
        y0 = max(math.floor(min(start[1], end[1]) - reach), 0)
        x1 = math.ceil(max(start[0], end[0]) + reach)
        y1 = math.ceil(max(start[1], end[1]) + reach)
        window = cover[y0:y1, x0:x1]
        if window.size:
            away = _distance_to_chord(
                window, (start[0] - x0, start[1] - y0), (end[0] - x0, end[1] - y0)
            )
            np.maximum(window, _soft(width / 2 - away), out=window)


def _centers(cover: Array) -> tuple[Array, Array]:
    height, width = cover.shape
    xs, ys = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)
    return xs[None, :] + 0.5, ys[:, None] + 0.5


def _distance_to(cover: Array, x: float, y: float) -> Array:
    xs, ys = _centers(cover)
    return np.sqrt((xs - x) * (xs - x) + (ys - y) * (ys - y))


def _distance_to_chord(cover: Array, start: Point, end: Point) -> Array:
    xs, ys = _centers(cover)
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = dx * dx + dy * dy
    px, py = xs - start[0], ys - start[1]
    along = np.clip((px * dx + py * dy) / length, 0.0, 1.0) if length else 0.0
    px, py = px - along * dx, py - along * dy
    return np.sqrt(px * px + py * py)


def _soft(depth: Array) -> Array:
    """Coverage of a pixel whose centre lies so deep inside an edge."""
    return np.clip(depth + 0.5, 0.0, 1.0)


def _polygon(cover: Array, points: list[Point]) -> Array:
    xs, ys = _centers(cover)
    inside = np.zeros(cover.shape, dtype=bool)
    edge = np.full(cover.shape, 2.0)
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        np.minimum(edge, _distance_to_chord(cover, (x0, y0), (x1, y1)), out=edge)
        if y0 != y1:
            crosses = ((ys >= y0) != (ys >= y1)) & (xs < x0 + (ys - y0) * (x1 - x0) / (y1 - y0))
            inside ^= crosses
    return _soft(np.where(inside, edge, -edge))
