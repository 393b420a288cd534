"""Images of solids on the ground, and which object is seen at each pixel.

One ray is cast through each pixel; a solid is searched for only inside its window.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from reasonrft.worlds.drawing.camera import Camera, Lamps, Triple
from reasonrft.worlds.drawing.display import displayed
from reasonrft.worlds.drawing.glass import glassy
from reasonrft.worlds.drawing.lighting import CLEVR_ROOM, TRANCE_ROOM
from reasonrft.worlds.drawing.mirrors import metallic, surface_of
from reasonrft.worlds.drawing.ray_shapes import Body, normalized, window
from reasonrft.worlds.drawing.scene import Material, Solid
from reasonrft.worlds.drawing.shading import Studio, Surface, matt, picked

Ground = Literal["clevr", "trance"]
Light = Callable[[Studio, Surface, Triple], list[np.ndarray]]
Spots = tuple[np.ndarray, np.ndarray]
"""Rows and columns of pixels."""

LIGHTS: dict[Material, Light] = {"rubber": matt, "metal": metallic, "glass": glassy}
ROOMS = {"clevr": CLEVR_ROOM, "trance": TRANCE_ROOM}

STAGE, LINE, LINE_LIGHT = 3.0, 0.04, 1.15


@dataclass(frozen=True, slots=True)
class Rendering:
    """An image and the object that each of its pixels shows."""

    pixels: np.ndarray
    """Red, green and blue as bytes."""  # (H, W, 3)
    owners: np.ndarray
    """Index of the object seen at the middle of each pixel, -1 for the ground."""  # (H, W)


def draw(
    solids: list[Solid],
    camera: Camera,
    lamps: Lamps,
    width: int,
    height: int,
    antialias: int = 1,
    ground: Ground = "clevr",
) -> Rendering:
    """Draw solids; with antialias n, each pixel is the mean of n by n."""
    bodies = [Body(solid) for solid in solids]
    rays = camera.rays(width, height)
    index, depth = _trace(bodies, camera, rays)
    owners = _owners(solids, index)
    if antialias > 1:
        rays = camera.rays(width * antialias, height * antialias)
        index, depth = _trace(bodies, camera, rays)
    studio = Studio(bodies, camera, lamps, ROOMS[ground])
    colors = studio.ground(_ground_points(camera, rays))
    if ground == "trance":
        _draw_square(colors, camera, rays)
    surface, spots = _surface(bodies, camera, rays, index, depth)
    _draw_solids(colors, studio, surface, rays, spots)
    return Rendering(displayed(colors, antialias), owners)


def visible_pixels(solids: list[Solid], camera: Camera, width: int, height: int) -> list[int]:
    """How many pixels show each object: counts of `Rendering.owners`, without drawing."""
    bodies = [Body(solid) for solid in solids]
    index, _ = _trace(bodies, camera, camera.rays(width, height))
    seen = np.bincount(index.ravel() + 1, minlength=len(solids) + 1)[1:]
    counts = [0] * (1 + max((solid.owner for solid in solids), default=-1))
    for solid, count in zip(solids, seen, strict=True):
        counts[solid.owner] += int(count)
    return counts


def _trace(bodies: list[Body], camera: Camera, rays: Triple) -> tuple[np.ndarray, np.ndarray]:
    """Which solid each ray meets first (-1: none), and how far away."""
    height, width = rays[0].shape
    index = np.full((height, width), -1, np.int16)
    depth = np.full((height, width), np.inf, np.float32)
    for i, body in enumerate(bodies):
        area = window(body.corners, camera, width, height)
        if area is None:
            continue
        ray = body.inward((rays[0][area], rays[1][area], rays[2][area]))
        begin, end = body.crossing(body.local_point(camera.position), ray)
        hit = (begin < end) & (begin > 0) & (begin < depth[area])
        index[area][hit] = i
        depth[area][hit] = begin[hit]
    return index, depth


def _owners(solids: list[Solid], index: np.ndarray) -> np.ndarray:
    table = np.array([solid.owner for solid in solids] + [-1], np.int16)
    return table[index]


def _ground_points(camera: Camera, rays: Triple) -> Triple:
    """Where rays meet the ground; above the horizon, very far away."""
    x, y, z = camera.position
    depth = -z / np.minimum(rays[2], -0.01)
    return x + rays[0] * depth, y + rays[1] * depth, np.zeros_like(depth)


def _draw_square(colors: list[np.ndarray], camera: Camera, rays: Triple) -> None:
    """The thin light lines around TRANCE's stage."""
    x, y, _ = _ground_points(camera, rays)
    reach = np.maximum(np.abs(x), np.abs(y))
    line = np.abs(reach - STAGE) < LINE / 2
    for color in colors:
        color[line] *= LINE_LIGHT


def _draw_solids(
    colors: list[np.ndarray], studio: Studio, surface: Surface, rays: Triple, spots: Spots
) -> None:
    for material, light in LIGHTS.items():
        rows, same = surface.of(material)
        if len(rows):
            where = spots[0][rows], spots[1][rows]
            view = normalized(picked(rays, where))
            for color, channel in zip(colors, light(studio, same, view), strict=True):
                color[where] = channel


def _surface(
    bodies: list[Body], camera: Camera, rays: Triple, index: np.ndarray, depth: np.ndarray
) -> tuple[Surface, Spots]:
    """The seen points of solids, sorted by solid, and their pixels."""
    rows, columns = np.nonzero(index >= 0)
    order = np.argsort(index[rows, columns], kind="stable")
    spots = rows[order], columns[order]
    ray, far = picked(rays, spots), depth[spots]
    x, y, z = camera.position
    point = x + ray[0] * far, y + ray[1] * far, z + ray[2] * far
    return surface_of(bodies, index[spots], point), spots
