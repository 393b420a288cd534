"""CLEVR's objects: cubes, spheres and cylinders, placed by its rules."""

import random
from collections.abc import Mapping, Sequence
from typing import Any, cast

from reasonrft.worlds.counting.counting_scenes import (
    SEEN_PIXELS,
    TRIES,
    Item,
    draw_place,
    draw_rotation,
    seen_pixels,
    stands_clear,
)
from reasonrft.worlds.counting.words import Description
from reasonrft.worlds.drawing.camera import Camera
from reasonrft.worlds.drawing.scene import Material, Shape, Solid

RADII = {"large": 0.7, "small": 0.35}
MIN_DISTANCE = 0.25
"""Between the edges of two objects."""
MARGIN = 0.4
"""Between two objects along each of the image's directions on the ground."""

_SHAPES: dict[str, Shape] = {"cube": "box", "sphere": "sphere", "cylinder": "cylinder"}


class Blocks:
    """The objects of CLEVR."""

    shapes = tuple(_SHAPES)
    distance = 1.0

    def __init__(self, clear: float = 0.0) -> None:
        """
        Args:
            clear: Share of a grid cell's side that middles keep from its borders.
        """
        self.clear = clear

    def arrange(
        self, rng: random.Random, things: Sequence[Description], camera: Camera
    ) -> list[Item] | None:
        """Put things in places that CLEVR's rules allow, or None if there was no room."""
        free = _Ground(camera, self.clear)
        items: list[Item] = []
        for thing in things:
            place = free.take(rng, RADII[thing["size"]])
            if place is None:
                return None
            items.append(_item(thing, place, draw_rotation(rng)))
        seen = seen_pixels(self.solids(items), camera)
        return items if min(seen, default=SEEN_PIXELS) >= SEEN_PIXELS else None

    def solids(self, items: Sequence[Mapping[str, Any]]) -> list[Solid]:
        """One solid for each object."""
        return [_solid(item, number) for number, item in enumerate(items)]


class _Ground:
    """The ground with what is taken of it, along the image's directions."""

    def __init__(self, camera: Camera, clear: float) -> None:
        self.camera, self.clear = camera, clear
        directions = camera.directions()
        self.right, self.front = directions["right"], directions["front"]
        self.taken: list[tuple[float, float, float]] = []

    def take(self, rng: random.Random, radius: float) -> tuple[float, float] | None:
        """Take a free place, or None if none is found."""
        for _ in range(TRIES):
            x, y = draw_place(rng)
            across = x * self.right[0] + y * self.right[1]
            along = x * self.front[0] + y * self.front[1]
            if self._free(across, along, radius) and stands_clear(
                (x, y, radius), self.camera, self.clear
            ):
                self.taken.append((across, along, radius))
                return x, y
        return None

    def _free(self, across: float, along: float, radius: float) -> bool:
        for other_across, other_along, other_radius in self.taken:
            dx, dy = abs(across - other_across), abs(along - other_along)
            apart = radius + other_radius + MIN_DISTANCE
            if dx < MARGIN or dy < MARGIN or dx * dx + dy * dy < apart * apart:
                return False
        return True


def _item(thing: Description, place: tuple[float, float], rotation: float) -> Item:
    return {**thing, "3d_coords": [*place, RADII[thing["size"]]], "rotation": rotation}


def _solid(item: Mapping[str, Any], owner: int) -> Solid:
    radius = RADII[item["size"]]
    x, y, z = item["3d_coords"]
    return Solid(
        shape=_SHAPES[item["shape"]],
        center=(x, y, z),
        size=(radius, radius, radius),
        rotation=item["rotation"],
        color=item["color"],
        material=cast(Material, item["material"]),
        owner=owner,
    )
