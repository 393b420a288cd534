"""How much light falls where: the area lamps of CLEVR and TRANCE.

A lamp sends light into the half space that it faces, most straight ahead. Light is linear; one unit
is what makes the ground as bright as white.
"""

from dataclasses import dataclass

import numpy as np

from reasonrft.worlds.drawing.camera import Lamps, Triple
from reasonrft.worlds.drawing.scene import Point


@dataclass(frozen=True, slots=True)
class Room:
    """What stays the same from scene to scene, fitted to the real images."""

    aims: tuple[Point, Point, Point]
    """Where the key, back and fill lamps face."""
    powers: tuple[Point, Point, Point]
    """Red, green and blue of each lamp."""
    spans: tuple[float, float, float]
    """How wide each lamp is: the wider, the softer its shadows."""
    ground: float
    """Light from everywhere on the open ground."""
    sky: float
    """Light from everywhere on what faces up."""
    bounce: float
    """Light that the ground sends to what faces down."""


CLEVR_ROOM = Room(
    aims=((-0.790, 0.522, -0.321), (-0.084, -0.554, -0.828), (0.669, 0.528, -0.522)),
    powers=((7.30, 6.76, 5.75), (2.68, 2.73, 2.63), (1.16, 1.25, 1.64)),
    spans=(1.0, 1.0, 1.0),
    ground=0.131,
    sky=0.115,
    bounce=0.124,
)
TRANCE_ROOM = Room(
    aims=((-0.865, 0.442, -0.237), (0.215, -0.462, -0.860), (0.578, 0.646, -0.498)),
    powers=((8.84, 8.16, 7.08), (9.13, 9.12, 9.07), (2.13, 2.36, 3.01)),
    spans=(1.0, 1.0, 1.0),
    ground=0.124,
    sky=0.115,
    bounce=0.124,
)


@dataclass(frozen=True, slots=True)
class Lamp:
    """One area lamp."""

    position: Point
    aim: Point
    power: Point
    span: float

    @property
    def hue(self) -> Point:
        """Its red, green and blue, the strongest of them 1."""
        most = max(self.power)
        red, green, blue = (part / most for part in self.power)
        return red, green, blue

    def way(self, point: Triple) -> Triple:
        """From points to the lamp."""
        x, y, z = self.position
        return x - point[0], y - point[1], z - point[2]

    def strength(self, way: Triple, normal: Triple | None = None) -> np.ndarray:
        """What share of the power falls on a surface, the ground if it has no normal."""
        x, y, z = way
        square = x * x + y * y + z * z
        facing = z if normal is None else x * normal[0] + y * normal[1] + z * normal[2]
        ahead = -self.aim[0] * x - self.aim[1] * y - self.aim[2] * z
        return np.maximum(facing, 0) * np.maximum(ahead, 0) / (square * square)


def hung(lamps: Lamps, room: Room) -> list[Lamp]:
    """The lamps of a scene."""
    places = lamps.key, lamps.back, lamps.fill
    parts = zip(places, room.aims, room.powers, room.spans, strict=True)
    return [Lamp(*part) for part in parts]
