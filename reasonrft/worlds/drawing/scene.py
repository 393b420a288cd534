"""What an image is drawn from: solids that stand on the ground, in CLEVR's colours."""

from dataclasses import dataclass
from typing import Literal

Shape = Literal["sphere", "cylinder", "box"]
Material = Literal["rubber", "metal", "glass"]
Axis = Literal["x", "y", "z"]
Point = tuple[float, float, float]

COLORS: dict[str, tuple[int, int, int]] = {
    "gray": (87, 87, 87),
    "red": (173, 35, 35),
    "blue": (42, 75, 215),
    "green": (29, 105, 20),
    "brown": (129, 74, 25),
    "purple": (129, 38, 192),
    "cyan": (41, 208, 208),
    "yellow": (255, 238, 51),
}


@dataclass(frozen=True, slots=True)
class Solid:
    """A body in the scene: an object or a part of one."""

    shape: Shape
    center: Point
    size: Point
    """Half extents; (r, r, r) of a sphere; (r, r, half height) of a cylinder along its axis."""
    rotation: float = 0.0
    """Degrees about the vertical. Mind that CLEVR's scene files hold radians, up to 360 of them."""
    color: str = "gray"
    """A name in `COLORS`, or #rrggbb."""
    material: Material = "rubber"
    owner: int = 0
    """Index of the object that it is part of."""
    axis: Axis = "z"
    """Which way a cylinder's axis points before the rotation."""
    bulge: float = 0.0
    """How far flat faces lean outwards towards their edges, as bent sheet does; 1 is one in two."""


def rgb(color: str) -> Point:
    """A colour's red, green and blue, each from 0 to 1."""
    if color.startswith("#"):
        red, green, blue = bytes.fromhex(color[1:])
    else:
        red, green, blue = COLORS[color]
    return red / 255, green / 255, blue / 255
