"""Vehicles after Super-CLEVR, built from boxes, cylinders and spheres.

Some of their parts have another colour, which does not count.
"""

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, cast

from reasonrft.oracles.count_questions import CATEGORIES
from reasonrft.worlds.counting.counting_scenes import (
    SEEN_HEIGHT,
    SEEN_PIXELS,
    SEEN_WIDTH,
    TRIES,
    Item,
    draw_place,
    draw_rotation,
    seen_pixels,
    stands_clear,
)
from reasonrft.worlds.counting.vehicle_models import MODELS, TYRE, Part
from reasonrft.worlds.counting.words import Description
from reasonrft.worlds.drawing.camera import Camera
from reasonrft.worlds.drawing.scene import COLORS, Material, Point, Solid

LENGTHS = {"large": 2.8, "small": 1.4}
BULGE = 0.6
"""Of all faces: in flat ones metal mirrors one spot, and seldom a lamp, which looks like rubber."""
MARGIN = 0.1
"""Between two vehicles' rectangles on the ground."""
MOST_DISTRACTORS = 3
"""Parts of one vehicle that may be recoloured, unless fewer are asked for."""
SEEN_PART = 4
"""Pixels that a recoloured part shows at least: Super-CLEVR asks for 20 of 640 by 480."""

_KINDS = {
    category: tuple(kind for kind, other in CATEGORIES.items() if other == category)
    for category in dict.fromkeys(CATEGORIES.values())
}
_NEVER_RECOLORED = {"body", "trailer", "frame", "windows", "cockpit", "tyres"}
_MATERIALS = ("rubber", "metal")


class Vehicles:
    """Cars, buses, motorbikes, aeroplanes and bicycles."""

    shapes = tuple(_KINDS)

    def __init__(
        self, clear: float = 0.0, distractors: int = MOST_DISTRACTORS, distance: float = 1.0
    ) -> None:
        """
        Args:
            clear: Share of a grid cell's side that middles keep from its borders.
            distractors: Most parts of one vehicle that have another colour.
            distance: From where vehicles are seen, in distances of CLEVR's camera.
        """
        self.clear, self.distractors, self.distance = clear, distractors, distance

    def arrange(
        self, rng: random.Random, things: Sequence[Description], camera: Camera
    ) -> list[Item] | None:
        """Park vehicles where all of them are seen, or None if there was no room."""
        items: list[Item] = []
        taken: list[Footprint] = []
        for thing in things:
            item = _parked(rng, thing, taken, camera, self.clear)
            if item is None:
                return None
            items.append(item)
        seen = _seen_parts(items, camera)
        if not all(map(_recognizable, items, seen)):
            return None
        return [
            item | {"parts": _distractors(rng, item, shown, self.distractors)}
            for item, shown in zip(items, seen, strict=True)
        ]

    def solids(self, items: Sequence[Mapping[str, Any]]) -> list[Solid]:
        """The parts of all vehicles."""
        return [
            _solid(item, part, owner)
            for owner, item in enumerate(items)
            for part in MODELS[item["shape"]]
        ]


@dataclass(frozen=True, slots=True)
class Footprint:
    """The rectangle on the ground that a vehicle stands in."""

    x: float
    y: float
    ahead: tuple[float, float]
    """Unit vector along the vehicle."""
    length: float
    """Half of it, like the width."""
    width: float

    def apart(self, other: "Footprint") -> bool:
        """Whether a line separates the two, along a side of either, with the margin."""
        x, y = abs(self.x - other.x), abs(self.y - other.y)
        if x * x + y * y < (self.width + other.width + MARGIN) ** 2:
            return False
        return any(self._gap(other, side) >= MARGIN for side in self._sides() + other._sides())

    def framed(self, camera: Camera) -> bool:
        """Whether the image shows all of the rectangle."""
        for along, across in product((-self.length, self.length), (-self.width, self.width)):
            x = self.x + along * self.ahead[0] - across * self.ahead[1]
            y = self.y + along * self.ahead[1] + across * self.ahead[0]
            u, v, _ = camera.project((x, y, 0.0), SEEN_WIDTH, SEEN_HEIGHT)
            if not (0 < u < SEEN_WIDTH and 0 < v < SEEN_HEIGHT):
                return False
        return True

    def _gap(self, other: "Footprint", line: tuple[float, float]) -> float:
        x, y = self.x - other.x, self.y - other.y
        return abs(x * line[0] + y * line[1]) - self._reach(line) - other._reach(line)

    def _reach(self, line: tuple[float, float]) -> float:
        """How far the rectangle extends from its middle along a line."""
        x, y = self.ahead
        along, across = abs(x * line[0] + y * line[1]), abs(x * line[1] - y * line[0])
        return self.length * along + self.width * across

    def _sides(self) -> tuple[tuple[float, float], tuple[float, float]]:
        x, y = self.ahead
        return (x, y), (-y, x)


def _parked(
    rng: random.Random,
    thing: Description,
    taken: list[Footprint],
    camera: Camera,
    clear: float,
) -> Item | None:
    kind, scale = rng.choice(_KINDS[thing["shape"]]), LENGTHS[thing["size"]]
    length, width = (scale * half for half in _EXTENTS[kind])
    middle = round(scale * _HEIGHTS[kind] / 2, 4)
    for _ in range(TRIES):
        x, y = draw_place(rng)
        rotation = draw_rotation(rng)
        footprint = Footprint(x, y, _ahead(rotation), length, width)
        if (
            all(map(footprint.apart, taken))
            and footprint.framed(camera)
            and stands_clear((x, y, middle), camera, clear)
        ):
            taken.append(footprint)
            return {**thing, "shape": kind, "3d_coords": [x, y, middle], "rotation": rotation}
    return None


def _ahead(rotation: float) -> tuple[float, float]:
    """The unit vector along a vehicle."""
    return math.cos(math.radians(rotation)), math.sin(math.radians(rotation))


def _reaches(part: Part) -> Point:
    """Half extents of a part along the model's axes."""
    a, b, c = part.size
    if part.shape != "cylinder":
        return a, b, c
    return {"x": (c, a, a), "y": (a, c, a), "z": (a, a, c)}[part.axis]


def _most(kind: str, axis: int) -> float:
    """How far a model's parts reach from its middle along an axis."""
    return max(abs(part.center[axis]) + _reaches(part)[axis] for part in MODELS[kind])


_HEIGHTS = {
    kind: max(part.center[2] + _reaches(part)[2] for part in model)
    for kind, model in MODELS.items()
}
_EXTENTS = {kind: (_most(kind, 0), _most(kind, 1)) for kind in MODELS}


def _seen_parts(items: Sequence[Item], camera: Camera) -> list[Counter[str]]:
    """For each vehicle, how many pixels show each of its parts."""
    parts = [(i, part) for i, item in enumerate(items) for part in MODELS[item["shape"]]]
    solids = [_solid(items[i], part, number) for number, (i, part) in enumerate(parts)]
    shown: list[Counter[str]] = [Counter() for _ in items]
    for (i, part), pixels in zip(parts, seen_pixels(solids, camera), strict=True):
        shown[i][part.name] += pixels
    return shown


def _own_pixels(item: Item, shown: Mapping[str, int]) -> int:
    """Pixels in the vehicle's own colour."""
    body = {part.name for part in MODELS[item["shape"]] if not part.paint}
    return sum(pixels for name, pixels in shown.items() if name in body)


def _recognizable(item: Item, shown: Mapping[str, int]) -> bool:
    return sum(shown.values()) >= SEEN_PIXELS and _own_pixels(item, shown) >= SEEN_PIXELS / 2


def _distractors(
    rng: random.Random, item: Item, shown: Mapping[str, int], most: int
) -> dict[str, dict[str, str]]:
    """Some visible parts in another colour, as long as the vehicle's own is seen twice as much."""
    names = sorted({part.name for part in MODELS[item["shape"]]} - _NEVER_RECOLORED)
    in_color, recolored = _own_pixels(item, shown), 0
    painted = {part.name for part in MODELS[item["shape"]] if part.paint}
    colors = [color for color in COLORS if color != item["color"]]
    parts: dict[str, dict[str, str]] = {}
    for name in rng.sample(names, rng.randint(0, most)):
        left = in_color if name in painted else in_color - shown[name]
        if shown[name] >= SEEN_PART and left >= 2 * (recolored + shown[name]):
            parts[name] = {"color": rng.choice(colors), "material": rng.choice(_MATERIALS)}
            in_color, recolored = left, recolored + shown[name]
    return parts


def _solid(item: Mapping[str, Any], part: Part, owner: int) -> Solid:
    scale = LENGTHS[item["size"]]
    x, y, z = (scale * value for value in part.center)
    (ahead, aside), place = _ahead(item["rotation"]), item["3d_coords"]
    color, material = _finish(item, part)
    half_x, half_y, half_z = (scale * value for value in part.size)
    return Solid(
        shape=part.shape,
        center=(
            place[0] + x * ahead - y * aside,
            place[1] + x * aside + y * ahead,
            z,
        ),
        size=(half_x, half_y, half_z),
        rotation=item["rotation"],
        color=color,
        material=material,
        owner=owner,
        axis=part.axis,
        bulge=BULGE,
    )


def _finish(item: Mapping[str, Any], part: Part) -> tuple[str, Material]:
    """Colour and material of a part."""
    if part.name in item.get("parts", ()):
        finish = item["parts"][part.name]
        return finish["color"], finish["material"]
    if part.paint:
        return part.paint, "rubber" if part.paint == TYRE else "metal"
    return item["color"], cast(Material, item["material"])
