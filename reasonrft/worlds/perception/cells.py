"""What each cell of a picture shows, in words: for eyes that learn to see before they can tell.

Cells are CELL pixels wide and high, numbered row by row.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from reasonrft.worlds.structure.boxes import Box

CELL = 16
LEAST = 0.15
"""Share of a cell that must show an object for the cell to be the object's."""
INSIDE = 3
"""Pixels of a label, both ways, that must lie in a cell for the cell to be the label's."""

Cells = dict[str, str]
"""Words of the cells that show something, by number."""


def owned(owners: np.ndarray, names: Sequence[str]) -> Cells:
    """The words of the object that a cell shows most of."""  # (H, W)
    cells = {}
    rows, columns = owners.shape[0] // CELL, owners.shape[1] // CELL
    for number in range(rows * columns):
        top, left = CELL * (number // columns), CELL * (number % columns)
        seen = owners[top : top + CELL, left : left + CELL]
        counts = np.bincount(seen[seen >= 0], minlength=1)
        if counts.max() >= LEAST * CELL * CELL:
            cells[str(number)] = names[int(counts.argmax())]
    return cells


def written(boxes: Iterable[Box], width: int) -> Cells:
    """The signs of the labels that lie in a cell, each with its place in its label."""
    cells: Cells = {}
    for box in boxes:
        signs = " ".join(f"{sign}{place}" for place, sign in enumerate(box.text) if sign != " ")
        for row in _within(box.top, box.bottom):
            for column in _within(box.left, box.right):
                number = str(row * (width // CELL) + column)
                cells[number] = f"{cells[number]} {signs}" if number in cells else signs
    return cells


def _within(start: int, end: int) -> list[int]:
    """Cells along one side that have enough of a stretch of pixels in them."""
    least = min(INSIDE, end - start)
    return [
        cell
        for cell in range(max(0, start) // CELL, end // CELL + 1)
        if min(end, (cell + 1) * CELL) - max(start, cell * CELL) >= least
    ]
