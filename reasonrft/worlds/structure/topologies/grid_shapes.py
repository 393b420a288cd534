"""Shapes of cells, and what flips and turns make of them."""

from typing import NamedTuple

from reasonrft.worlds.structure.puzzle import Draw

SIDE = 4
"""Cells along a side of a grid."""

Cells = list[tuple[int, int]]


class Motion(NamedTuple):
    """A kind of motion, and where it takes the directions right and up."""

    kind: str
    right: tuple[int, int]
    up: tuple[int, int]


MOTIONS = {
    "slide": (Motion("slide", (1, 0), (0, 1)),),
    "flip": (Motion("flip", (-1, 0), (0, 1)), Motion("flip", (1, 0), (0, -1))),
    "turn": (
        Motion("turn", (0, -1), (1, 0)),
        Motion("turn", (-1, 0), (0, -1)),
        Motion("turn", (0, 1), (-1, 0)),
    ),
}
"""Turns by one, two and three quarters, clockwise."""

DIRECTIONS = {(1, 0): "right", (-1, 0): "left", (0, 1): "up", (0, -1): "down"}
_DIAGONAL = (Motion("flip", (0, 1), (1, 0)), Motion("flip", (0, -1), (-1, 0)))
"""The two flips about a diagonal, which are never asked but must not be mistaken for a turn."""


def random_cells(draw: Draw) -> Cells:
    """A connected shape that looks different after every flip and turn."""
    every = [move for moves in MOTIONS.values() for move in moves] + list(_DIAGONAL)
    while True:
        size = draw.number(5, 7)
        cells = [(draw.number(0, SIDE - 1), draw.number(0, SIDE - 1))]
        while len(cells) < size:
            (x, y), (dx, dy) = draw.choose(cells), draw.choose(list(DIRECTIONS))
            cell = (x + dx, y + dy)
            if 0 <= cell[0] < SIDE and 0 <= cell[1] < SIDE and cell not in cells:
                cells.append(cell)
        if len({tuple(_cornered(cells, move)) for move in every}) == len(every):
            return sorted(cells)


def image_of(draw: Draw, cells: Cells, move: Motion) -> Cells:
    """The moved shape at a place of its own; a slide must show where it can."""
    image = _cornered(cells, move)
    places = [
        sorted((cx + x, cy + y) for cx, cy in image)
        for x in range(SIDE - max(cx for cx, _ in image))
        for y in range(SIDE - max(cy for _, cy in image))
    ]
    return draw.choose([place for place in places if place != cells] or places)


def _cornered(cells: Cells, move: Motion) -> Cells:
    """The moved shape, pushed into the corner of its grid."""
    (rx, ry), (ux, uy) = move.right, move.up
    moved = [(x * rx + y * ux, x * ry + y * uy) for x, y in cells]
    left, bottom = min(x for x, _ in moved), min(y for _, y in moved)
    return sorted((x - left, y - bottom) for x, y in moved)
