"""Where the camera and the lamps of CLEVR and TRANCE stand, and what the camera sees where.

Lengths are Blender's; the image's u goes right and v goes down, both in pixels.
"""

import math
import random
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from reasonrft.worlds.drawing.scene import Point

Triple = tuple[np.ndarray, np.ndarray, np.ndarray]
"""x, y and z of many vectors, as arrays of their own."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks at a target with the horizon level."""

    position: Point
    target: Point = (0.0, 0.0, 0.0)
    lens: float = 35.0
    sensor: float = 32.0

    @cached_property
    def axes(self) -> tuple[Point, Point, Point]:
        """Unit vectors to the right of the image, to its top, and out of it to the viewer."""
        back = unit(minus(self.position, self.target))
        right = unit(cross((0.0, 0.0, 1.0), back))
        return right, cross(back, right), back

    def focal(self, width: int) -> float:
        """The focal length in pixels of an image this wide."""
        return self.lens / self.sensor * width

    def project(self, point: Point, width: int, height: int) -> tuple[float, float, float]:
        """Where a point is seen, and its depth along the line of sight."""
        right, up, back = self.axes
        offset = minus(point, self.position)
        depth = -dot(offset, back)
        scale = self.focal(width) / depth
        return width / 2 + scale * dot(offset, right), height / 2 - scale * dot(offset, up), depth

    def rays(self, width: int, height: int) -> Triple:
        """Lines of sight through the middles of the pixels, one unit deep."""  # (H, W) each
        right, up, back = self.axes
        focal = self.focal(width)
        u = ((np.arange(width) + (0.5 - width / 2)) / focal).astype(np.float32)[None, :]
        v = (((height / 2 - 0.5) - np.arange(height)) / focal).astype(np.float32)[:, None]
        x, y, z = (u * right[i] + (v * up[i] - back[i]) for i in range(3))
        return x, y, z

    def directions(self) -> dict[str, tuple[float, float]]:
        """Unit vectors on the ground that CLEVR calls left, right, front and behind."""
        right, _, back = self.axes
        x, y, _ = unit((back[0], back[1], 0.0))
        return {
            "left": (-right[0], -right[1]),
            "right": (right[0], right[1]),
            "front": (x, y),
            "behind": (-x, -y),
        }

    def jittered(self, rng: random.Random, amount: float = 0.5) -> "Camera":
        """The same camera a little elsewhere, as in each scene of the originals."""
        return Camera(shaken(self.position, rng, amount), self.target, self.lens, self.sensor)


@dataclass(frozen=True, slots=True)
class Lamps:
    """Where the three area lamps hang."""

    key: Point
    back: Point
    fill: Point

    def jittered(self, rng: random.Random, amount: float = 1.0) -> "Lamps":
        """The same lamps a little elsewhere, as in each scene of the originals."""
        key, back, fill = (shaken(lamp, rng, amount) for lamp in (self.key, self.back, self.fill))
        return Lamps(key, back, fill)


def shaken(point: Point, rng: random.Random, amount: float) -> Point:
    """A point moved by up to an amount along each axis."""
    x, y, z = (value + rng.uniform(-amount, amount) for value in point)
    return x, y, z


def dot(a: Point, b: Point) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def minus(a: Point, b: Point) -> Point:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def cross(a: Point, b: Point) -> Point:
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


def unit(a: Point) -> Point:
    length = math.sqrt(dot(a, a))
    return a[0] / length, a[1] / length, a[2] / length


CLEVR = Camera((7.4811, -6.5076, 5.3437))
TRANCE_CENTER = Camera((9.4811, 0.0, 6.3437))
TRANCE_LEFT = Camera((7.4811, -6.5076, 6.3437))
TRANCE_RIGHT = Camera((7.4811, 6.5076, 6.3437))

CLEVR_LAMPS = Lamps(
    key=(6.4467, -2.9052, 4.2584), back=(-1.1685, 2.646, 5.8157), fill=(-4.6711, -4.0136, 3.0112)
)
TRANCE_LAMPS = Lamps(
    key=(6.4467, -2.9052, 4.2584), back=(-1.1685, 2.646, 5.8157), fill=(-4.6711, -4.0136, 5.0112)
)
