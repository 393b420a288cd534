"""What each cell of an image shows, in words: labels for pretraining a vision tower.

Cells are numbered row by row.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import numpy as np

from reasonrft.worlds.counting.words import grid_place
from reasonrft.worlds.structure.boxes import Box
from reasonrft.worlds.structure.plane import Point

COLUMNS, ROWS = 9, 6
"""Cells of an image, whatever its size."""
LEAST_SHARE = 0.15
"""Share of a cell that must show an object for the cell to be the object's."""
LEAST_PIXELS = 3
"""Pixels of a label, both ways, that make a cell the label's; of a narrower one, half of them."""

Cells = dict[str, str]
"""Words of the cells that show something, by number."""


def object_cells(owners: np.ndarray, names: Sequence[str]) -> Cells:
    """The words of the object that a cell shows most of."""  # (H, W)
    height, width = owners.shape
    cells = {}
    for number, (row, column) in enumerate(product(range(ROWS), range(COLUMNS))):
        seen = owners[_span(row, ROWS, height), _span(column, COLUMNS, width)]
        counts = np.bincount(seen[seen >= 0], minlength=1)
        if counts.max() >= LEAST_SHARE * seen.size:
            cells[str(number)] = names[int(counts.argmax())]
    return cells


def label_cells(
    boxes: Iterable[Box], width: int, height: int, more: Mapping[str, str] | None = None
) -> Cells:
    """The labels that lie in a cell: where each is, its signs with their places in it, and more."""
    cells: Cells = {}
    for box in boxes:
        signs = [f"{sign}{place}" for place, sign in enumerate(box.text) if sign != " "]
        words = [grid_place(box.center, width, height), *signs]
        if more and box.text in more:
            words.append(more[box.text])
        for row in _within(box.top, box.bottom, ROWS, height):
            for column in _within(box.left, box.right, COLUMNS, width):
                _add(cells, _number(row, column), " ".join(words))
    return cells


def point_cells(things: Iterable[tuple[Point, str]], width: int, height: int) -> Cells:
    """The words of things that have their middle in a cell."""
    cells: Cells = {}
    for (x, y), word in things:
        _add(cells, _number(int(y * ROWS / height), int(x * COLUMNS / width)), word)
    return cells


def merge_cells(first: Cells, second: Cells) -> Cells:
    """The words of both."""
    cells = dict(first)
    for number, words in second.items():
        _add(cells, number, words)
    return cells


def _number(row: int, column: int) -> str:
    return str(row * COLUMNS + column)


def _add(cells: Cells, number: str, words: str) -> None:
    cells[number] = f"{cells[number]} {words}" if number in cells else words


def _span(cell: int, cells: int, pixels: int) -> slice:
    """The pixels of one of several cells along a side."""
    return slice(round(cell * pixels / cells), round((cell + 1) * pixels / cells))


def _within(start: int, end: int, cells: int, pixels: int) -> list[int]:
    """Cells along one side that have enough of a stretch of pixels in them."""
    least = min(LEAST_PIXELS, (end - start + 1) // 2)
    spans = [_span(cell, cells, pixels) for cell in range(cells)]
    return [
        cell
        for cell, span in enumerate(spans)
        if min(end, span.stop) - max(start, span.start) >= least
    ]
