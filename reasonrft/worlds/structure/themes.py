"""How figures look: GeoMath's many colours, Geometry3K's thin blue lines and magenta marks."""

import random
from dataclasses import dataclass

from reasonrft.worlds.structure.raster import Color


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours by role, and how heavy lines and letters are."""

    ground: Color
    line: Color
    mark: Color
    text: Color
    fills: tuple[Color, ...]
    weight: float
    """Line width, in units of a plain line."""
    slant: float
    """Lean of letters; digits stand upright."""

    def color(self, role: str) -> Color:
        """The colour of a role: ground, line, mark, text, or fill0, fill1, ..."""
        if role.startswith("fill"):
            return self.fills[int(role[4:]) % len(self.fills)]
        return {"ground": self.ground, "line": self.line, "mark": self.mark, "text": self.text}[
            role
        ]


_GROUNDS: list[Color] = [(255, 255, 255), (255, 255, 255), (253, 250, 240), (244, 248, 252)]
_INKS: list[tuple[Color, Color]] = [
    ((32, 32, 40), (205, 40, 40)),
    ((24, 60, 130), (214, 96, 20)),
    ((20, 95, 70), (190, 40, 120)),
    ((110, 45, 120), (20, 120, 170)),
    ((130, 50, 25), (25, 90, 180)),
]
_FILLS: list[Color] = [
    (255, 214, 130),
    (176, 220, 250),
    (190, 232, 180),
    (250, 190, 190),
    (222, 200, 245),
    (255, 236, 150),
    (160, 225, 215),
]
_TEXT: Color = (20, 20, 24)

DRAWN = Theme((255, 255, 255), (16, 104, 172), (224, 30, 140), _TEXT, ((255, 255, 255),), 0.75, 0.2)
"""Geometry3K's manner."""


def coloured(rng: random.Random) -> Theme:
    """One of GeoMath's many manners."""
    line, mark = rng.choice(_INKS)
    fills = tuple(rng.sample(_FILLS, len(_FILLS)))
    return Theme(rng.choice(_GROUNDS), line, mark, _TEXT, fills, rng.choice([1.0, 1.3]), 0.0)
