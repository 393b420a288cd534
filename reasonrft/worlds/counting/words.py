"""How questions and chains name objects: CLEVR-Math's words for attributes, and places."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from reasonrft.oracles.count_questions import CATEGORIES

Description = dict[str, str]
"""What is asked of an object: some of size, color, material and shape."""

ATTRIBUTES = ("size", "color", "material", "shape")
"""In the order in which a noun phrase names them."""

SYNONYMS = {
    "sphere": ("sphere", "ball"),
    "cube": ("cube", "block"),
    "object": ("thing", "object"),
    "large": ("large", "big"),
    "small": ("small", "tiny"),
    "metal": ("metallic", "metal", "shiny"),
    "rubber": ("rubber", "matte"),
    "aeroplane": ("aeroplane", "airplane"),
}

COLUMNS, ROWS = 8, 6
"""Cells of the grid that compact chains point with."""

SIDES = {
    "left of": (0, -1),
    "right of": (0, 1),
    "behind": (1, -1),
    "in front of": (1, 1),
}
"""Where an object is of another: along which axis of the image, and which way."""

_LEFT, _RIGHT = 0.4, 0.6
# Rows are told apart as seen by a camera at any height of the image: CLEVR's objects stand in
# three equal parts in front of, between and behind these, in widths below the middle.
_BACK, _FRONT = -0.085, 0.0
PLACES = (
    ("at the back left", "at the back", "at the back right"),
    ("on the left", "in the middle", "on the right"),
    ("at the front left", "at the front", "at the front right"),
)


def fits(item: Mapping[str, str], asked: Description) -> bool:
    """Whether an object is as described."""
    return all(item[key] == value for key, value in asked.items())


def described(item: Mapping[str, Any]) -> Description:
    """The attributes of a scene's object in the words of questions; a vehicle's by category."""
    known = {key: str(item[key]) for key in ATTRIBUTES}
    return known | {"shape": CATEGORIES.get(known["shape"], known["shape"])}


def plural_phrase(rng: random.Random, asked: Description) -> str:
    """A noun phrase for several objects, with synonyms drawn at random."""
    words = [asked[key] for key in ATTRIBUTES[:-1] if key in asked]
    words.append(asked.get("shape", "object"))
    *adjectives, noun = [rng.choice(SYNONYMS.get(word, (word,))) for word in words]
    return " ".join([*adjectives, plural(noun)])


def plain_plural(asked: Description) -> str:
    """The same noun phrase in the words that scenes use."""
    words = [asked[key] for key in ATTRIBUTES[:-1] if key in asked]
    return " ".join([*words, plural(asked.get("shape", "object"))])


def plural(noun: str) -> str:
    return noun + ("es" if noun == "bus" else "s")


def grid_place(pixel: Sequence[float], width: int, height: int) -> str:
    """Column and row of the cell that a point of the image is in, like x3 y2."""
    column = min(max(int(pixel[0] / width * COLUMNS), 0), COLUMNS - 1)
    row = min(max(int(pixel[1] / height * ROWS), 0), ROWS - 1)
    return f"x{column} y{row}"


def clear_of_borders(pixel: Sequence[float], width: int, height: int, share: float) -> bool:
    """Whether a point of the image keeps this share of a cell's side from its borders."""
    sides = (pixel[0] / width * COLUMNS) % 1, (pixel[1] / height * ROWS) % 1
    return all(share <= side <= 1 - share for side in sides)


def clear_distance(axis: int, width: int) -> float:
    """How far apart along an axis things must be to be beside another without doubt."""
    return width / 6 / (1 + axis)


def spoken_place(pixel: Sequence[float], width: int, height: int) -> str:
    """Where a point of the image is, in words."""
    across, down = pixel[0] / width, (pixel[1] - height / 2) / width
    return PLACES[(down > _BACK) + (down > _FRONT)][(across > _LEFT) + (across > _RIGHT)]


def from_left_to_right(objects: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A scene's objects in the order in which chains name them."""
    return sorted(objects, key=lambda item: tuple(item["pixel_coords"][:2]))
