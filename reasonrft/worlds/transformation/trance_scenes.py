"""TRANCE's scenes: two states, how their objects are turned, and from where each is seen."""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reasonrft.oracles.state_changes import RADII, UNIT, Item, State
from reasonrft.oracles.state_records import Sample
from reasonrft.worlds.drawing.camera import (
    TRANCE_CENTER,
    TRANCE_LAMPS,
    TRANCE_LEFT,
    TRANCE_RIGHT,
    Camera,
    Lamps,
)
from reasonrft.worlds.drawing.renderer import Rendering, draw, visible_pixels
from reasonrft.worlds.drawing.scene import Material, Shape, Solid

VIEWS = {"center": TRANCE_CENTER, "left": TRANCE_LEFT, "right": TRANCE_RIGHT}
"""Where a final state is seen from; an initial one is seen from the centre."""
SEEN_WIDTH, SEEN_HEIGHT = 160, 120
"""Size at which visibility is judged, whatever the size of the images."""
SEEN_PIXELS = 150 * SEEN_WIDTH * SEEN_HEIGHT / (320 * 240)
"""TVR asks for 150 pixels in images of 320 by 240."""

_SHAPES: dict[str, Shape] = {"cube": "box", "sphere": "sphere", "cylinder": "cylinder"}
_MATERIALS: dict[str, Material] = {"rubber": "rubber", "metal": "metal", "glass": "glass"}


@dataclass(frozen=True, slots=True)
class Shot:
    """A state as it was photographed."""

    state: State
    rotations: tuple[float, ...]
    camera: Camera
    lamps: Lamps

    def draw(self, width: int, height: int, antialias: int = 1) -> Rendering:
        """The photograph."""
        solids = to_solids(self.state, self.rotations)
        return draw(solids, self.camera, self.lamps, width, height, antialias, "trance")

    def shows_all(self) -> bool:
        """Whether enough is seen of each object on the stage."""
        solids = to_solids(self.state, self.rotations)
        if not solids:
            return True
        pixels = visible_pixels(solids, self.camera, SEEN_WIDTH, SEEN_HEIGHT)
        return all(pixels[solid.owner] >= SEEN_PIXELS for solid in solids)


@dataclass(frozen=True, slots=True)
class Scene:
    """Two states, the first seen from the centre, the last from three sides."""

    sample: Sample
    first: Shot
    last: Mapping[str, Shot]

    def shots(self) -> Iterator[Shot]:
        """All photographs."""
        yield self.first
        yield from self.last.values()


def draw_scene(rng: random.Random, sample: Sample) -> Scene:
    """Turn the objects of a sample, and place its cameras and lamps.

    As in TRANCE, neither they nor the centre camera move between the images of a sample.
    """
    rotations = tuple(rng.uniform(0, 360) for _ in sample.initial)
    lamps = TRANCE_LAMPS.jittered(rng)
    last = {
        view: Shot(sample.final, rotations, camera.jittered(rng), lamps)
        for view, camera in VIEWS.items()
    }
    return Scene(sample, replace(last["center"], state=sample.initial), last)


def to_solids(state: State, rotations: Sequence[float]) -> list[Solid]:
    """The objects that are on the stage, with their numbers as owners."""
    return [
        _to_solid(item, rotations[number], number)
        for number, item in enumerate(state)
        if item.visible
    ]


def _to_solid(item: Item, rotation: float, number: int) -> Solid:
    # A cube has the diagonal of its base, not its side, in common with the others.
    extent = RADII[item.size] / (math.sqrt(2) if item.shape == "cube" else 1)
    x, y = item.position
    return Solid(
        shape=_SHAPES[item.shape],
        center=(UNIT * x, UNIT * y, extent),
        size=(extent, extent, extent),
        rotation=rotation,
        color=item.color,
        material=_MATERIALS[item.material],
        owner=number,
    )
