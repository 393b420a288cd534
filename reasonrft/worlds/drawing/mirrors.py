"""What metal shows of the ground, of the other solids and of the lamps.

The metal of CLEVR is brushed along circles around the vertical: highlights are drawn out across the
brushing, into the wedges seen on the tops of cylinders.
"""

import numpy as np

from reasonrft.worlds.drawing.camera import Triple, dot, minus
from reasonrft.worlds.drawing.lighting import Lamp
from reasonrft.worlds.drawing.ray_shapes import Body, normalized
from reasonrft.worlds.drawing.shading import Studio, Surface, cover, picked, slices

REFLECTED = 0.88
"""Share of light that the metal sends on, before its tint."""
SKY = {"sphere": 0.05, "cylinder": 0.08, "box": 0.08}
"""What metal shows where nothing is; flat tops spread the horizon's light."""
HORIZON = 0.1
"""How steeply a reflection must fall to show the ground alone."""
SPOT, SPOT_WIDTH = 8.0, 0.045
"""The lamp itself, not spread by the brushing."""
PEAK = 2.7
SHARP, DRAWN_OUT = 0.055, 0.12
"""Widths of highlights along and across the brushing."""
CONTACT = 0.4
"""Share of the ground's light that a solid takes from its own reflection where it touches."""
_FAR = 60.0
_NEAR = 4.0
"""How many radii away another solid is still seen in metal."""


def metallic(studio: Studio, surface: Surface, view: Triple) -> list[np.ndarray]:
    """Light that metal sends to the camera."""
    mirror = mirrored(view, surface.normal)
    seen = _surroundings(studio, surface, mirror)
    _reflect_solids(studio, surface, mirror, seen)
    brushing = _brushing(surface)
    for lamp in studio.lamps:
        shine = _highlight(lamp, surface, view, brushing)
        for color, hue in zip(seen, lamp.hue, strict=True):
            color += shine * hue
    return [tint * color for tint, color in zip(surface.tints(), seen, strict=True)]


def mirrored(view: Triple, normal: Triple) -> Triple:
    """Where lines of sight go on to."""
    twice = 2 * (view[0] * normal[0] + view[1] * normal[1] + view[2] * normal[2])
    x, y, z = (s - twice * n for s, n in zip(view, normal, strict=True))
    return x, y, z


def _surroundings(studio: Studio, surface: Surface, mirror: Triple) -> list[np.ndarray]:
    """The ground and the sky, as mirrors would show them."""
    x, y, z = surface.point
    reach = np.minimum(z / np.maximum(-mirror[2], 0.02), _FAR)
    spot = (x + mirror[0] * reach, y + mirror[1] * reach, np.zeros_like(z))
    share = np.minimum(np.maximum(mirror[2] * (-1 / HORIZON), 0), 1)
    light = share * REFLECTED
    for body, part in surface.each():
        light[part] *= 1 - CONTACT * cover(body, picked(spot, part))
    sky = surface.spread([SKY[body.solid.shape] for body in surface.bodies]) * (1 - share)
    return [ground * light + sky for ground in studio.bare_ground(spot)]


def _reflect_solids(
    studio: Studio, surface: Surface, mirror: Triple, seen: list[np.ndarray]
) -> None:
    """Put the nearest solid, where there is one, over the surroundings."""
    nearest = np.full_like(mirror[0], np.inf)
    index = np.full(nearest.shape, -1, np.int16)
    for i, body in enumerate(studio.bodies):
        rows = surface.rows([_close(body, receiver) for receiver in surface.bodies])
        if not len(rows):
            continue
        origin, ray = picked(surface.point, rows), picked(mirror, rows)
        begin, end = body.crossing(body.inside(origin), body.inward(ray))
        hit = (begin < end) & (begin > 0) & (begin < nearest[rows])
        nearest[rows[hit]], index[rows[hit]] = begin[hit], i
    rows = np.flatnonzero(index >= 0)
    if not len(rows):
        return
    rows = rows[np.argsort(index[rows], kind="stable")]
    point, way, far = picked(surface.point, rows), picked(mirror, rows), nearest[rows]
    x, y, z = (p + w * far for p, w in zip(point, way, strict=True))
    other = surface_of(studio.bodies, index[rows], (x, y, z))
    for color, part_seen in zip(seen, studio.diffuse(other, shadows=False), strict=True):
        color[rows] = part_seen * REFLECTED


def surface_of(bodies: list[Body], index: np.ndarray, point: Triple) -> Surface:
    """Points sorted by solid, with the normals there."""
    parts = slices(np.bincount(index, minlength=len(bodies)).tolist())
    x, y, z = (np.empty_like(point[0]) for _ in range(3))
    for body, part in zip(bodies, parts, strict=True):
        if part.start < part.stop:
            out = body.outward(body.normal(body.inside(picked(point, part))))
            x[part], y[part], z[part] = out
    return Surface(bodies, parts, point, (x, y, z))


def _close(body: Body, receiver: Body) -> bool:
    """Whether a body can be seen in another that is no part of the same object."""
    gap = minus(body.solid.center, receiver.solid.center)
    reach = _NEAR * body.radius + receiver.radius
    return body.solid.owner != receiver.solid.owner and dot(gap, gap) < reach * reach


def _brushing(surface: Surface) -> tuple[Triple, Triple]:
    """Directions along and across the brushing at each point."""
    x, y = np.empty_like(surface.point[0]), np.empty_like(surface.point[0])
    for body, part in surface.each():
        x[part] = body.solid.center[1] - surface.point[1][part]
        y[part] = surface.point[0][part] - body.solid.center[0]
    a, b, c = surface.normal
    out = x * a + y * b
    along = normalized((x - out * a, y - out * b, -out * c))
    across = (
        b * along[2] - c * along[1],
        c * along[0] - a * along[2],
        a * along[1] - b * along[0],
    )
    return along, across


def _highlight(
    lamp: Lamp, surface: Surface, view: Triple, brushing: tuple[Triple, Triple]
) -> np.ndarray:
    """How brightly a lamp shines in brushed metal: by how far the normal is from the best one."""
    way = normalized(lamp.way(surface.point))
    half = normalized((way[0] - view[0], way[1] - view[1], way[2] - view[2]))
    along, across = (
        half[0] * brush[0] + half[1] * brush[1] + half[2] * brush[2] for brush in brushing
    )
    normal = surface.normal
    facing = way[0] * normal[0] + way[1] * normal[1] + way[2] * normal[2]
    along, across = along * along, across * across
    off = 1 + along * (1 / SHARP**2) + across * (1 / DRAWN_OUT**2)
    spot = np.maximum(1 - (along + across) * (1 / SPOT_WIDTH**2), 0) * SPOT
    return np.minimum(np.maximum(facing * 4, 0), 1) * (PEAK / (off * np.sqrt(off)) + spot)
