"""Soft shadows without sampling.

From a point, a lamp is a disc around the ray to its middle. How far that ray runs inside or outside
a body's outline, against the width of the disc there, says what share of the lamp is hidden.
"""

import numpy as np

from reasonrft.worlds.drawing.camera import Camera, Triple, minus
from reasonrft.worlds.drawing.lighting import Lamp
from reasonrft.worlds.drawing.ray_shapes import Body, slab, window
from reasonrft.worlds.drawing.scene import Point

Area = tuple[slice, slice]
_TINY = 1e-9
_NARROWEST = 0.02
"""Share of its full width that a penumbra keeps where body and shadow touch."""
_TOUCHING = 0.02
"""Width of a penumbra that is too narrow to see."""


def hidden(body: Body, lamp: Lamp, point: Triple, way: Triple) -> np.ndarray:
    """The share of a lamp that a body hides from points."""
    origin, ray = body.inside(point), body.inward(way)
    if body.solid.shape == "sphere":
        clearance, where = _sphere_clearance(origin, ray, body.solid.size[0])
    else:
        clearance, where = _pillar_clearance(origin, ray, body)
    share = 0.5 + clearance / (lamp.span * (where + _NARROWEST))
    share = np.minimum(np.maximum(share, 0), 1)
    return share * share * (3 - 2 * share)


def shadow_window(body: Body, lamp: Lamp, camera: Camera, width: int, height: int) -> Area | None:
    """Rows and columns where a body's shadow on the ground can be seen."""
    cast: list[Point] = []
    for point in body.corners:
        share = lamp.position[2] / max(lamp.position[2] - point[2], 0.3)
        x = lamp.position[0] + (point[0] - lamp.position[0]) * share
        y = lamp.position[1] + (point[1] - lamp.position[1]) * share
        soft = lamp.span / 2 * (share - 1 + _NARROWEST)
        if soft < _TOUCHING:
            cast.append((x, y, 0))
        else:
            cast += [(x - soft, y - soft, 0), (x - soft, y + soft, 0)]
            cast += [(x + soft, y - soft, 0), (x + soft, y + soft, 0)]
    return window(cast, camera, width, height)


def can_shade(body: Body, lamp: Lamp, receivers: list[Body]) -> list[bool]:
    """On which bodies a body's shadow can fall."""
    a, b, c = minus(lamp.position, body.solid.center)
    length = a * a + b * b + c * c
    spread = body.radius + lamp.span / 2
    shaded = []
    for receiver in receivers:
        x, y, z = minus(receiver.solid.center, body.solid.center)
        along = (a * x + b * y + c * z) / length
        if along > 0:
            distance, reach = x * x + y * y + z * z, body.radius + receiver.radius
        else:
            distance = x * x + y * y + z * z - along * along * length
            reach = spread * (1 - along) + receiver.radius
        shaded.append(distance < reach * reach and receiver is not body)
    return shaded


def _sphere_clearance(origin: Triple, ray: Triple, radius: float) -> tuple[np.ndarray, np.ndarray]:
    x, y, z = origin
    square = ray[0] * ray[0] + ray[1] * ray[1] + ray[2] * ray[2]
    along = -(x * ray[0] + y * ray[1] + z * ray[2]) / square
    where = np.minimum(np.maximum(along, 0), 1)
    a, b, c = x + where * ray[0], y + where * ray[1], z + where * ray[2]
    return radius - np.sqrt(a * a + b * b + c * c), where


def _pillar_clearance(origin: Triple, ray: Triple, body: Body) -> tuple[np.ndarray, np.ndarray]:
    """For cylinders and boxes: the ray's part between floor and top, seen from above."""
    (x, y, z), (dx, dy, dz) = origin, ray
    low, high = slab(z, dz, body.solid.size[2])
    missed = np.minimum(high - np.maximum(low, 0), 0)
    begin = np.minimum(np.maximum(low, 0), 1)
    end = np.minimum(np.maximum(high, 0), 1)
    square = dx * dx + dy * dy + _TINY
    where = np.minimum(np.maximum(-(x * dx + y * dy) / square, begin), end)
    length = np.sqrt(square)
    if body.solid.shape == "cylinder":
        a, b = x + where * dx, y + where * dy
        clearance = body.solid.size[0] - np.sqrt(a * a + b * b)
    else:
        clearance = _box_clearance((x, y), (dx, dy), (begin, end), length, body.solid.size)
    return clearance + missed * length, where


def _box_clearance(
    origin: tuple[np.ndarray, np.ndarray],
    ray: tuple[np.ndarray, np.ndarray],
    span: tuple[np.ndarray, np.ndarray],
    length: np.ndarray,
    size: Point,
) -> np.ndarray:
    """How deep segments and a rectangle overlap: the least over possible separating axes."""
    (x, y), (dx, dy) = origin, ray
    across = (np.abs(dy) * size[0] + np.abs(dx) * size[1] - np.abs(x * dy - y * dx)) / length
    for middle, step, half in ((x, dx, size[0]), (y, dy, size[1])):
        start, end = middle + span[0] * step, middle + span[1] * step
        inner = np.minimum(half - np.minimum(start, end), half + np.maximum(start, end))
        across = np.minimum(across, inner)
    return across
