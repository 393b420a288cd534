"""Where rays meet spheres, cylinders and boxes.

Only + - * / and square roots of float32 arrays, whose results IEEE 754 fixes: every machine sees
the same. Vectors are `Triple`s.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from reasonrft.worlds.drawing.camera import Camera, Triple, dot, minus
from reasonrft.worlds.drawing.scene import Point, Solid

BEVEL, RIM = 0.14, 0.05
"""Radii of the edges of boxes and of cylinders, as shares of the smallest half extent."""

_TINY = 1e-9

Crossing = tuple[np.ndarray, np.ndarray]
"""How far along each ray a body begins and ends; it is missed where it ends first."""


@dataclass(frozen=True)
class Body:
    """A solid with the axes of its own frame, in which it stands upright at the origin."""

    solid: Solid

    @cached_property
    def axes(self) -> tuple[Point, Point, Point]:
        """The frame's x, y and z in the world's; a cylinder's axis is z."""
        angle = math.radians(self.solid.rotation)
        cosine, sine = math.cos(angle), math.sin(angle)
        x, y, z = (cosine, sine, 0.0), (-sine, cosine, 0.0), (0.0, 0.0, 1.0)
        return {"x": (y, z, x), "y": (z, x, y), "z": (x, y, z)}[self.solid.axis]

    def inward(self, vector: Triple) -> Triple:
        """Directions of the world, seen in the frame."""
        x, y, z = vector
        a, b, c = (axis[0] * x + axis[1] * y + axis[2] * z for axis in self.axes)
        return a, b, c

    def inside(self, point: Triple) -> Triple:
        """Points of the world, seen in the frame."""
        return self.inward(self.beside(point))

    def beside(self, point: Triple) -> Triple:
        """Points of the world, from the solid's middle."""
        x, y, z = self.solid.center
        return point[0] - x, point[1] - y, point[2] - z

    def outward(self, vector: Triple) -> Triple:
        """Directions of the frame, seen in the world."""
        x, y, z = self.axes
        a, b, c = (vector[0] * x[i] + vector[1] * y[i] + vector[2] * z[i] for i in range(3))
        return a, b, c

    def local_point(self, point: Point) -> Point:
        """One point of the world, seen in the frame."""
        offset = minus(point, self.solid.center)
        x, y, z = (dot(axis, offset) for axis in self.axes)
        return x, y, z

    @cached_property
    def corners(self) -> list[Point]:
        """The corners of the frame's box around the solid, in the world."""
        x, y, z = self.axes
        center, (a, b, c) = self.solid.center, self.solid.size
        signs = [(i * a, j * b, k * c) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]
        return [
            (
                center[0] + i * x[0] + j * y[0] + k * z[0],
                center[1] + i * x[1] + j * y[1] + k * z[1],
                center[2] + i * x[2] + j * y[2] + k * z[2],
            )
            for i, j, k in signs
        ]

    @cached_property
    def radius(self) -> float:
        """Of the sphere around the solid."""
        a, b, c = self.solid.size
        if self.solid.shape == "sphere":
            return a
        return math.sqrt(a * a + c * c + (b * b if self.solid.shape == "box" else 0))

    def crossing(self, origin: Triple | Point, ray: Triple) -> Crossing:
        """How far along each ray, in the frame, the solid begins and ends; ends first if missed."""
        if self.solid.shape == "sphere":
            return _through_sphere(origin, ray, self.solid.size[0])
        if self.solid.shape == "cylinder":
            return _through_cylinder(origin, ray, self.solid.size)
        return _through_box(origin, ray, self.solid.size)

    def normal(self, point: Triple) -> Triple:
        """The way out at points on the surface, in the frame; edges are rounded."""
        x, y, z = point
        if self.solid.shape == "sphere":
            return normalized((x, y, z))
        if self.solid.shape == "cylinder":
            return _cylinder_normal(point, self.solid.size, self.solid.bulge)
        return _box_normal(point, self.solid.size, self.solid.bulge)


def normalized(vector: Triple) -> Triple:
    x, y, z = vector
    scale = 1 / np.sqrt(x * x + y * y + z * z + 1e-12)
    return x * scale, y * scale, z * scale


def window(
    points: list[Point], camera: Camera, width: int, height: int
) -> tuple[slice, slice] | None:
    """Rows and columns of the image that a convex body with these corners can touch."""
    seen = [camera.project(point, width, height) for point in points]
    if any(depth <= 0.1 for _, _, depth in seen):
        return slice(0, height), slice(0, width)
    left = max(0, math.floor(min(u for u, _, _ in seen)))
    right = min(width, math.ceil(max(u for u, _, _ in seen)))
    top = max(0, math.floor(min(v for _, v, _ in seen)))
    bottom = min(height, math.ceil(max(v for _, v, _ in seen)))
    if left >= right or top >= bottom:
        return None
    return slice(top, bottom), slice(left, right)


def _through_sphere(origin: Triple | Point, ray: Triple, radius: float) -> Crossing:
    (x, y, z), (dx, dy, dz) = origin, ray
    a = dx * dx + dy * dy + dz * dz
    b = x * dx + y * dy + z * dz
    return _roots(a, b, x * x + y * y + z * z - radius * radius)


def _through_cylinder(origin: Triple | Point, ray: Triple, size: Point) -> Crossing:
    (x, y, z), (dx, dy, dz) = origin, ray
    a = np.maximum(dx * dx + dy * dy, _TINY)
    begin, end = _roots(a, x * dx + y * dy, x * x + y * y - size[0] * size[0])
    low, high = slab(z, dz, size[2])
    return np.maximum(begin, low), np.minimum(end, high)


def _through_box(origin: Triple | Point, ray: Triple, size: Point) -> Crossing:
    """A box whose edges are planed off, which looks round enough under a round normal."""
    begin, end = slab(origin[0], ray[0], size[0])
    cut = (2 - math.sqrt(2)) * BEVEL * min(size)
    for i, j in ((1, 0), (2, 1), (0, 2)):
        half = size[i] + size[j] - cut
        plus = slab(origin[i] + origin[j], ray[i] + ray[j], half)
        minus = slab(origin[i] - origin[j], ray[i] - ray[j], half)
        for low, high in (slab(origin[i], ray[i], size[i]), plus, minus):
            begin, end = np.maximum(begin, low), np.minimum(end, high)
    return begin, end


def _roots(a: np.ndarray, b: np.ndarray, c: np.ndarray | float) -> Crossing:
    """Solutions of a tt + 2bt + c = 0, the wrong way round where there are none."""
    inside = b * b - a * c
    root = np.sqrt(np.abs(inside))
    root = np.where(inside > 0, root, np.float32(-1e9))
    return (-b - root) / a, (root - b) / a


def slab(origin: np.ndarray | float, ray: np.ndarray, half: float) -> Crossing:
    """Where rays enter and leave the space between two planes."""
    ray = np.where(np.abs(ray) < _TINY, np.float32(_TINY), ray)
    inverse = 1 / ray
    middle, reach = -origin * inverse, np.abs(inverse) * half
    return middle - reach, middle + reach


def _box_normal(point: Triple, size: Point, bulge: float) -> Triple:
    bevel = BEVEL * min(size)
    sides = zip(point, size, strict=True)
    a, b, c = (_leaning(value, half, bevel, bulge) for value, half in sides)
    return normalized((a, b, c))


def _cylinder_normal(point: Triple, size: Point, bulge: float) -> Triple:
    x, y, z = point
    bevel = RIM * min(size)
    radius = np.sqrt(x * x + y * y) + _TINY
    side = np.maximum(radius - (size[0] - bevel), 0) / radius + bulge * bevel / size[0]
    return normalized((x * side, y * side, _leaning(z, size[2], bevel, bulge)))


def _leaning(value: np.ndarray, half: float, bevel: float, bulge: float) -> np.ndarray:
    """How far out the normal points along an axis, beside the bevel's full length at the end."""
    return beyond(value, half - bevel) + value * (bulge * bevel / half)


def beyond(value: np.ndarray, limit: float) -> np.ndarray:
    """By how much values lie outside [-limit, limit]."""
    return value - np.minimum(np.maximum(value, -limit), limit)
