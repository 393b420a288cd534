"""Which motions take one pattern of pixels to another: every one is tried."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from reasonrft.worlds.structure.glyphs import strokes
from reasonrft.worlds.structure.raster import stroke_coverage

Bits = npt.NDArray[np.bool_]
SIDE = 40


def motions_between(state: Mapping[str, Any]) -> set[tuple[str, int]]:
    """Kinds of motion with the degrees of turns, clockwise, that explain the two images."""
    before, after = _patterns(state)
    found = {("slide", 0)} if _same(before, after) else set()
    if _same(before[:, ::-1], after) or _same(before[::-1], after):
        found.add(("flip", 0))
    for quarters in (1, 2, 3):
        if _same(np.rot90(before, -quarters), after):
            found.add(("turn", 90 * quarters))
    return found


def _patterns(state: Mapping[str, Any]) -> tuple[Bits, Bits]:
    if "letter" in state:
        return _letter(state["letter"], (1, 0), (0, 1)), _letter(
            state["letter"], tuple(state["right"]), tuple(state["up"])
        )
    return _cells(state["before"]), _cells(state["after"])


def _cells(cells: list[list[int]]) -> Bits:
    """Cells as squares of bits, the top row first."""
    grid = np.zeros((SIDE, SIDE), dtype=bool)
    cell = SIDE // 4
    for x, y in cells:
        grid[(3 - y) * cell : (4 - y) * cell, x * cell : (x + 1) * cell] = True
    return grid


def _letter(letter: str, right: tuple[int, ...], up: tuple[int, ...]) -> Bits:
    """A letter drawn with these directions for its right and its top."""
    cover = np.zeros((SIDE, SIDE))
    for stroke in strokes(letter):
        moved = [
            ((x - 2.6) * right[0] + (y - 4) * up[0], (x - 2.6) * right[1] + (y - 4) * up[1])
            for x, y in stroke
        ]
        stroke_coverage(cover, [(SIDE / 2 + 3 * x, SIDE / 2 - 3 * y) for x, y in moved], 2.0)
    return cover > 0.5


def _same(one: Bits, other: Bits) -> bool:
    """Equal but for their place."""
    one, other = _cut(one), _cut(other)
    if abs(one.shape[0] - other.shape[0]) > 1 or abs(one.shape[1] - other.shape[1]) > 1:
        return False
    rows, columns = (min(a, b) for a, b in zip(one.shape, other.shape, strict=True))
    differing = one[:rows, :columns] ^ other[:rows, :columns]
    # Letters lie between pixels: a few at their edges may differ.
    return int(differing.sum()) <= 0.12 * int(one.sum())


def _cut(bits: Bits) -> Bits:
    rows, columns = np.flatnonzero(bits.any(axis=1)), np.flatnonzero(bits.any(axis=0))
    return bits[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
