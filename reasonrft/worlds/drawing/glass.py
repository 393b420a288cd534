"""TRANCE's coloured glass: saturated, dark where it turns light away, with small glints.

Light passes the glass twice, so its tint counts twice. Cylinders and boxes show a bright band,
which is the ground behind them, over a dark foot and under a dark top.
"""

import numpy as np

from reasonrft.worlds.drawing.camera import Triple
from reasonrft.worlds.drawing.lighting import Lamp
from reasonrft.worlds.drawing.mirrors import mirrored
from reasonrft.worlds.drawing.ray_shapes import Body, normalized
from reasonrft.worlds.drawing.shading import Studio, Surface, picked

THROUGH = 0.78
"""Share of the ground's light that comes through, before the tint."""
DARK = 0.16
"""Share of that where the glass turns light away."""
FOOT = -0.4
"""Height of the dark foot's top, in half heights."""
EDGE = 0.8
"""How far from the middle of a box's side its dark edges begin, in half widths."""
GLINT, GLINT_WIDTH = 2.0, 0.0025
RIM = 0.6
"""Share of the light that is lost where the glass is seen edge on."""


def glassy(studio: Studio, surface: Surface, view: Triple) -> list[np.ndarray]:
    """Light that glass sends to the camera."""
    (a, b, c), (x, y, z) = view, surface.normal
    through = THROUGH * (1 - RIM * (1 + a * x + b * y + c * z))
    for body, part in surface.each():
        if body.solid.shape != "sphere":
            through[part] *= _band(body, picked(surface.point, part))
    mirror = mirrored(view, surface.normal)
    glint = np.zeros_like(through)
    for lamp in studio.lamps:
        glint += _glint(lamp, surface, mirror)
    behind = studio.bare_ground(surface.point)
    return [
        tint * (tint * light * through + glint)
        for tint, light in zip(surface.tints(), behind, strict=True)
    ]


def _band(body: Body, point: Triple) -> np.ndarray:
    """1 in the bright band of a cylinder's or box's sides, `DARK` elsewhere."""
    x, y, z = body.inside(point)
    a, b, c = body.solid.size
    light = np.minimum(_ramp(z / c - FOOT), _ramp(0.9 - z / c))
    if body.solid.shape == "box":
        across = np.minimum(np.abs(x) / a, np.abs(y) / b)
        light = np.minimum(light, _ramp(EDGE - across))
    return DARK + (1 - DARK) * light


def _ramp(value: np.ndarray) -> np.ndarray:
    """From 0 to 1 over a fifth."""
    return np.minimum(np.maximum(value * 5 + 0.5, 0), 1)


def _glint(lamp: Lamp, surface: Surface, mirror: Triple) -> np.ndarray:
    """The lamp, mirrored in front, and gathered at the far side."""
    x, y, z = normalized(lamp.way(surface.point))
    front = x * mirror[0] + y * mirror[1] + z * mirror[2]
    a, b, c = surface.normal
    back = -(x * a + y * b + z * c)
    best = np.maximum(front, back)
    return GLINT * np.minimum(np.maximum((best - 1) / GLINT_WIDTH + 1, 0) * 2, 1)
