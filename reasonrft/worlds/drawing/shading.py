"""What light falls on the ground and on solids, and what they send on without a mirror's help."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from reasonrft.worlds.drawing.camera import Camera, Lamps, Triple
from reasonrft.worlds.drawing.lighting import Lamp, Room, hung
from reasonrft.worlds.drawing.ray_shapes import Body, beyond, window
from reasonrft.worlds.drawing.scene import Material, rgb
from reasonrft.worlds.drawing.shadows import can_shade, hidden, shadow_window

DIFFUSE = 1.27
"""One over the share of light that the ground sends back: `Room`'s light is the ground's."""
GLOW, CONTACT, MOST_LOST = 0.17, 0.25, 0.17
"""Light that solids give to the ground beside them and take from it."""
REACH = 3.0
"""How far from its middle a solid does so, in radii."""


@dataclass(frozen=True, slots=True)
class Surface:
    """Points on solids, sorted by solid."""

    bodies: list[Body]
    parts: list[slice]
    """Where each solid's points lie."""
    point: Triple
    normal: Triple

    def each(self) -> Iterator[tuple[Body, slice]]:
        """The solids that have points, with their points."""
        for body, part in zip(self.bodies, self.parts, strict=True):
            if part.start < part.stop:
                yield body, part

    def of(self, material: Material) -> tuple[np.ndarray, "Surface"]:
        """The points on solids of one material, and where they stand among all."""
        same = [body.solid.material == material for body in self.bodies]
        counts = [
            count if is_same else 0 for count, is_same in zip(self._counts(), same, strict=True)
        ]
        where = self.rows(same)
        point, normal = picked(self.point, where), picked(self.normal, where)
        return where, Surface(self.bodies, slices(counts), point, normal)

    def spread(self, values: list[float]) -> np.ndarray:
        """One value per point from one per solid."""
        return np.repeat(np.array(values, np.float32), self._counts())

    def rows(self, chosen: list[bool]) -> np.ndarray:
        """Where the points of some solids stand."""
        return np.flatnonzero(np.repeat(np.array(chosen, bool), self._counts()))

    def _counts(self) -> list[int]:
        return [part.stop - part.start for part in self.parts]

    def tints(self) -> list[np.ndarray]:
        """Red, green and blue of each point's solid."""
        colors = [rgb(body.solid.color) for body in self.bodies]
        return [self.spread([color[i] for color in colors]) for i in range(3)]


def slices(counts: list[int]) -> list[slice]:
    """Stretches of these lengths, one after another."""
    ends = list(accumulate(counts))
    return [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]


def picked(
    vector: Triple,
    where: np.ndarray | slice | tuple[slice, slice] | tuple[np.ndarray, np.ndarray],
) -> Triple:
    """Some of many vectors."""
    return vector[0][where], vector[1][where], vector[2][where]


class Studio:
    """Solids under lamps."""

    def __init__(self, bodies: list[Body], camera: Camera, lamps: Lamps, room: Room) -> None:
        self.bodies, self.camera, self.room = bodies, camera, room
        self.lamps = hung(lamps, room)

    def ground(self, point: Triple) -> list[np.ndarray]:
        """Light from every point of the ground, in shadow or not."""  # (H, W) each
        ambient = np.full_like(point[0], self.room.ground)
        colors = self._sums(ambient, [self._on_ground(lamp, point) for lamp in self.lamps])
        taken = np.zeros_like(ambient)
        for body in self.bodies:
            self._surround(body, point, colors, taken)
        square = taken * taken
        lost = np.minimum(square * (square + 1) * CONTACT, MOST_LOST)
        return [color - lost for color in colors]

    def bare_ground(self, point: Triple) -> list[np.ndarray]:
        """Light from points of the ground if nothing stood on it."""
        ambient = np.full_like(point[0], self.room.ground)
        return self._sums(ambient, [lamp.strength(lamp.way(point)) for lamp in self.lamps])

    def diffuse(self, surface: Surface, shadows: bool = True) -> list[np.ndarray]:
        """Light that matt solids send on."""
        up = surface.normal[2] * 0.5 + 0.5
        base = self.room.sky * up + self.room.bounce * (1 - up)
        strengths = []
        for lamp in self.lamps:
            way = lamp.way(surface.point)
            strength = lamp.strength(way, surface.normal)
            if shadows:
                self._shade(surface, lamp, way, strength)
            strengths.append(strength)
        light = self._sums(base, strengths)
        return [tint * level * DIFFUSE for tint, level in zip(surface.tints(), light, strict=True)]

    def _sums(self, base: np.ndarray, strengths: list[np.ndarray]) -> list[np.ndarray]:
        """Red, green and blue of all the lamps together."""
        colors = []
        for i in range(3):
            color = base.copy()
            for lamp, strength in zip(self.lamps, strengths, strict=True):
                color += strength * lamp.power[i]
            colors.append(color)
        return colors

    def _on_ground(self, lamp: Lamp, point: Triple) -> np.ndarray:
        way = lamp.way(point)
        strength = lamp.strength(way)
        height, width = strength.shape
        for body in self.bodies:
            area = shadow_window(body, lamp, self.camera, width, height)
            if area is not None:
                strength[area] *= 1 - hidden(body, lamp, picked(point, area), picked(way, area))
        return strength

    def _surround(
        self, body: Body, point: Triple, colors: list[np.ndarray], taken: np.ndarray
    ) -> None:
        """Give the ground around a solid some of its color, and note how near it is."""
        x, y, _ = body.solid.center
        reach = REACH * body.radius
        corners = [(x + i * reach, y + j * reach, 0.0) for i in (-1, 1) for j in (-1, 1)]
        height, width = taken.shape
        area = window(corners, self.camera, width, height)
        if area is None:
            return
        near = cover(body, picked(point, area))
        given = np.maximum(near - taken[area], 0) * (GLOW - GLOW * 0.9 * near)
        for color, tint in zip(colors, rgb(body.solid.color), strict=True):
            color[area] += given * tint
        taken[area] = np.maximum(taken[area], near)

    def _shade(self, surface: Surface, lamp: Lamp, way: Triple, strength: np.ndarray) -> None:
        """Take the light of a lamp that solids hide from each other."""
        for body in self.bodies:
            rows = surface.rows(can_shade(body, lamp, surface.bodies))
            if len(rows):
                point = picked(surface.point, rows)
                strength[rows] *= 1 - hidden(body, lamp, point, picked(way, rows))


def cover(body: Body, point: Triple) -> np.ndarray:
    """The share of the sky over points of the ground that a body hides: as a row of balls would."""
    z = body.solid.center[2]
    radius = min(*body.solid.size, z)
    x, y, _ = body.inside(point) if body.solid.shape == "box" else body.beside(point)
    if body.solid.shape == "box":
        x = beyond(x, max(body.solid.size[0] - radius, 0))
        y = beyond(y, max(body.solid.size[1] - radius, 0))
    square = x * x + y * y + z * z
    return np.minimum(radius * radius * z / (square * np.sqrt(square)), 1)


def matt(studio: Studio, surface: Surface, view: Triple) -> list[np.ndarray]:
    """Light that rubber sends to the camera: the same in every direction."""
    return studio.diffuse(surface)
