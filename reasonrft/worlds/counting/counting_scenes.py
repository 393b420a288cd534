"""Scenes for counting: what stands where, from where it is seen, and how it is lit.

A scene is plain data as in CLEVR's files, and is drawn from that data alone.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from reasonrft.worlds.counting.words import Description, clear_of_borders
from reasonrft.worlds.drawing.camera import CLEVR, CLEVR_LAMPS, Camera, Lamps
from reasonrft.worlds.drawing.renderer import Rendering, draw, visible_pixels
from reasonrft.worlds.drawing.scene import Point, Solid

Item = dict[str, Any]
"""An object as CLEVR writes it: shape, size, color, material, rotation, 3d_coords."""

REACH = 3.0
"""Objects stand at most so far from the middle, along x and y."""
TRIES = 50
"""How often a place is looked for before the scene is given up."""

SEEN_WIDTH, SEEN_HEIGHT = 192, 128
"""Size at which visibility is judged, whatever the size of the images; CLEVR's are 3 to 2."""
SEEN_PIXELS = 200 * SEEN_WIDTH * SEEN_HEIGHT // (320 * 240)
"""CLEVR asks for 200 pixels in images of 320 by 240."""

_DIGITS = 4


class Domain(Protocol):
    """A kind of objects."""

    shapes: tuple[str, ...]
    """Their names in questions."""
    distance: float
    """From where they are seen, in distances of CLEVR's camera."""

    def arrange(
        self, rng: random.Random, things: Sequence[Description], camera: Camera
    ) -> list[Item] | None:
        """Put things in places where all of them are seen, or None if there was no room."""

    def solids(self, items: Sequence[Mapping[str, Any]]) -> list[Solid]:
        """What objects are drawn from."""


def draw_scene(
    rng: random.Random, domain: Domain, things: Sequence[Description]
) -> dict[str, Any] | None:
    """A scene with these things, or None if there was no room for them."""
    x, y, z = CLEVR.jittered(rng).position
    camera = _rounded((x * domain.distance, y * domain.distance, z * domain.distance))
    lamps = CLEVR_LAMPS.jittered(rng)
    items = domain.arrange(rng, things, Camera(camera))
    if items is None:
        return None
    places = {name: list(_rounded(getattr(lamps, name))) for name in ("key", "back", "fill")}
    return {"objects": items, "camera": list(camera), "lamps": places}


def framed(scene: Mapping[str, Any], width: int, height: int) -> dict[str, Any]:
    """The scene with the places of its objects in an image of this size."""
    camera = scene_camera(scene)
    items = [
        item
        | {"pixel_coords": [round(x, 3) for x in camera.project(item["3d_coords"], width, height)]}
        for item in scene["objects"]
    ]
    return {**scene, "objects": items, "width": width, "height": height}


def render_scene(
    scene: Mapping[str, Any], domain: Domain, width: int, height: int, antialias: int = 1
) -> Rendering:
    """The image of a scene."""
    lamps = Lamps(**{name: tuple(place) for name, place in scene["lamps"].items()})
    solids = domain.solids(scene["objects"])
    return draw(solids, scene_camera(scene), lamps, width, height, antialias)


def scene_camera(scene: Mapping[str, Any]) -> Camera:
    x, y, z = scene["camera"]
    return Camera((x, y, z))


def seen_pixels(solids: list[Solid], camera: Camera) -> list[int]:
    """How many pixels show each owner, at the size at which visibility is judged."""
    return visible_pixels(solids, camera, SEEN_WIDTH, SEEN_HEIGHT)


def draw_place(rng: random.Random) -> tuple[float, float]:
    """A place on the ground."""
    steps = 10**_DIGITS
    low, span = int(-REACH * steps), int(2 * REACH * steps) + 1
    return (low + int(span * rng.random())) / steps, (low + int(span * rng.random())) / steps


def stands_clear(point: Point, camera: Camera, share: float) -> bool:
    """Whether a point is seen this share of a cell's side away from the borders of its cell."""
    pixel = camera.project(point, SEEN_WIDTH, SEEN_HEIGHT)
    return clear_of_borders(pixel, SEEN_WIDTH, SEEN_HEIGHT, share)


def draw_rotation(rng: random.Random) -> float:
    """Degrees about the vertical."""
    return round(rng.uniform(0, 360), _DIGITS)


def _rounded(point: Point) -> Point:
    x, y, z = (round(value, _DIGITS) for value in point)
    return x, y, z
