"""Slide, flip or turn: how a letter or a shape has moved from one grid to the next."""

from typing import Any

from reasonrft.worlds.structure.chain import times
from reasonrft.worlds.structure.figure import Figure
from reasonrft.worlds.structure.glyphs import strokes
from reasonrft.worlds.structure.plane import Point, settle
from reasonrft.worlds.structure.puzzle import Draw, Fact, Puzzle
from reasonrft.worlds.structure.topologies.grid_shapes import (
    DIRECTIONS,
    MOTIONS,
    SIDE,
    Motion,
    image_of,
    random_cells,
)
from reasonrft.worlds.structure.values import whole

CLOCKWISE = dict(zip(MOTIONS["turn"], (90, 180, 270), strict=True))
_LETTERS = "FGJLPR"
"""Capitals that look different after every flip and turn."""


def motion(draw: Draw) -> Puzzle:
    """Say which motion it was."""
    kind = draw.target(("slide", "flip", "turn"), "kind")
    move = draw.choose(MOTIONS[kind])
    noun, figure, state = _image(draw, move)
    _follow(draw, move)
    draw.chain.say(*_CONCLUSIONS[kind], compact=kind)
    question = draw.choose(
        [
            f"What has been done to the {noun} on the left to get the one on the right?",
            f"Which transformation takes the {noun} on the left to the one on the right?",
            f"How has the {noun} been moved?",
        ]
    )
    return Puzzle(
        figure,
        question,
        kind,
        draw.chain,
        (state,),
        facts=_facts(move),
        asked=("motion",),
        mistakes=tuple(other for other in MOTIONS if other != kind),
        options=3,
        state=state,
    )


_CONCLUSIONS = {
    "slide": (
        "Nothing is turned or mirrored, so it is a slide",
        "Both directions are kept: a slide",
    ),
    "flip": (
        "One direction is reversed as in a mirror, so it is a flip",
        "Only one of them is reversed: a flip",
    ),
    "turn": (
        "Both directions have turned the same way, so it is a turn",
        "Both go round by the same angle: a turn",
    ),
}


def rotation(draw: Draw) -> Puzzle:
    """Say by how many degrees it was turned."""
    move = draw.target(MOTIONS["turn"], "turn")
    noun, figure, state = _image(draw, move)
    degrees = CLOCKWISE[move]
    quarters = degrees // 90
    _follow(draw, move)
    turns = f"{quarters} quarter turn{'s' if quarters > 1 else ''}"
    draw.chain.say(
        f"Going clockwise from up to {DIRECTIONS[move.up]} takes {turns}",
        f"Clockwise that is {turns}",
        compact=f"quarters = {quarters}",
    )
    draw.chain.work(times(quarters, 90))
    question = draw.choose(
        [
            f"By how many degrees clockwise has the {noun} been turned?",
            f"The {noun} on the left is turned clockwise to get the one on the right. "
            "Through how many degrees?",
        ]
    )
    return Puzzle(
        figure,
        question,
        whole(degrees),
        draw.chain,
        (state,),
        facts=_facts(move),
        asked=("rotation",),
        mistakes=tuple(map(whole, (90, 180, 270, 360, 45))),
        unit="°",
        state=state,
    )


def _facts(move: Motion) -> tuple[Fact, ...]:
    return tuple(
        Fact(name, DIRECTIONS[way], "direction", (), shown=True)
        for name, way in (("up", move.up), ("right", move.right))
    )


def _follow(draw: Draw, move: Motion) -> None:
    """Where the two directions of the left image point in the right one."""
    up, right = DIRECTIONS[move.up], DIRECTIONS[move.right]
    draw.chain.say(
        f"What points up on the left points {up} on the right. What points right on the left "
        f"points {right} on the right",
        f"Its top goes {up}, and its right side goes {right}",
        compact=f"up goes {up}. right goes {right}",
    )


def _image(draw: Draw, move: Motion) -> tuple[str, Figure, dict[str, Any]]:
    """Two grids with the shape before and after, and an arrow between them."""
    figure = Figure()
    for left in (0.0, SIDE + 2.0):
        for line in range(SIDE + 1):
            figure.line((left + line, 0.0), (left + line, SIDE), weight=0.4)
            figure.line((left, float(line)), (left + SIDE, float(line)), weight=0.4)
    tail, tip, middle = SIDE + 0.4, SIDE + 1.6, SIDE / 2
    figure.line((tail, middle), (tip, middle))
    figure.line((tip - 0.4, middle + 0.3), (tip, middle), (tip - 0.4, middle - 0.3))
    directions = {"right": list(move.right), "up": list(move.up)}
    if draw.chance(0.4) and not draw.small:
        letter = draw.choose(_LETTERS)
        _write_large(figure, letter, SIDE / 2, MOTIONS["slide"][0])
        _write_large(figure, letter, SIDE + 2 + SIDE / 2, move)
        return "letter", figure, {"letter": letter, **directions}
    before = random_cells(draw)
    after = image_of(draw, before, move)
    _fill_cells(figure, before, 0.0)
    _fill_cells(figure, after, SIDE + 2.0)
    cells = {"before": [list(cell) for cell in before], "after": [list(cell) for cell in after]}
    return "shape", figure, {**cells, **directions}


def _write_large(figure: Figure, letter: str, center: float, move: Motion) -> None:
    for stroke in strokes(letter):
        places = [_moved(((x - 2.6) * 0.38, (y - 4) * 0.38), move) for x, y in stroke]
        moved = [(x + center, y + SIDE / 2) for x, y in places]
        figure.line(*moved, role="mark", weight=3.2)


def _moved(point: Point, move: Motion) -> Point:
    (rx, ry), (ux, uy) = move.right, move.up
    return settle((point[0] * rx + point[1] * ux, point[0] * ry + point[1] * uy))


def _fill_cells(figure: Figure, cells: list[tuple[int, int]], left: float) -> None:
    for x, y in cells:
        a, b = x + left, float(y)
        figure.polygon((a, b), (a + 1, b), (a + 1, b + 1), (a, b + 1))
