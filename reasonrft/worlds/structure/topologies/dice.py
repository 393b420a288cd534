"""Which face of a die lies opposite another, from several views."""

from reasonrft.worlds.structure.chain import Chain, series
from reasonrft.worlds.structure.figure import Figure
from reasonrft.worlds.structure.plane import Point, mix, polar
from reasonrft.worlds.structure.puzzle import Draw, Fact, Puzzle
from reasonrft.worlds.structure.values import whole

View = tuple[int, int, int]
"""Faces on top, at the left and at the right."""

# Places of pips on a face, in steps from its centre.
_PIPS: dict[int, list[tuple[int, int]]] = {
    1: [(0, 0)],
    2: [(-1, -1), (1, 1)],
    3: [(-1, -1), (0, 0), (1, 1)],
    4: [(-1, -1), (-1, 1), (1, -1), (1, 1)],
    5: [(-1, -1), (-1, 1), (1, -1), (1, 1), (0, 0)],
    6: [(-1, -1), (-1, 0), (-1, 1), (1, -1), (1, 0), (1, 1)],
}


def opposite_face(draw: Draw) -> Puzzle:
    """Views that show all four neighbours of a face leave one face for the other side."""
    answer = draw.target(range(1, 7))
    asked = draw.choose([face for face in range(1, 7) if face != answer])
    around = draw.rng.sample([face for face in range(1, 7) if face not in (answer, asked)], 4)
    pairs = draw.choose([(0, 2), (1, 3)] if draw.small else [(0, 2), (1, 3), (0, 1, 2)])
    # Around the asked face its neighbours come in this order, counter-clockwise from outside.
    views = [_rolled(draw, (asked, around[k], around[(k + 1) % 4])) for k in pairs]
    draw.rng.shuffle(views)
    pips = draw.chance(0.7) and not draw.small
    figure = Figure()
    for place, view in enumerate(views):
        _draw_die(figure, (2.3 * place, 0.0), view, pips)
    _explain(draw.chain, views, asked, answer)
    question = draw.choose(
        [
            f"All pictures show the same die. Which number is opposite {asked}?",
            f"Based on the views of one die, which number is directly opposite to {asked}?",
            f"One die is shown from different sides. What number lies opposite the {asked}?",
        ]
    )
    return Puzzle(
        figure,
        question,
        whole(answer),
        draw.chain,
        (views, asked),
        facts=tuple(
            Fact(f"view {number}", " ".join(map(str, view)), "view", (), True)
            for number, view in enumerate(views, 1)
        ),
        asked=("opposite", str(asked)),
        mistakes=tuple(whole(face) for face in range(1, 7) if face not in (answer, asked)),
        state={"views": [list(view) for view in views]},
    )


def _explain(chain: Chain, views: list[View], asked: int, answer: int) -> None:
    met: set[int] = set()
    for number, view in enumerate(views, 1):
        first, second = sorted(set(view) - {asked})
        chain.say(
            f"View {number} shows {asked} next to {first} and {second}",
            f"In view {number}, {asked} touches {first} and {second}",
            compact=f"view {number}: {asked} next to {first} and {second}",
        )
        met |= {first, second}
    neighbours = series([str(face) for face in sorted(met)])
    chain.say(
        f"So {asked} is next to {neighbours}",
        f"The neighbours of {asked} are {neighbours}",
        compact=f"next to {neighbours}",
    )
    chain.say(
        f"The only face left is {answer}",
        f"That leaves {answer} for the opposite face",
        compact=f"left {answer}",
    )


def _rolled(draw: Draw, view: View) -> View:
    """The same corner seen with another of its faces on top."""
    a, b, c = view
    return draw.choose([(a, b, c), (b, c, a), (c, a, b)])


def _draw_die(figure: Figure, center: Point, view: View, pips: bool) -> None:
    """A cube seen on its corner: top, left and right face."""
    rim = [polar(center, 1.0, 30 + 60 * k) for k in range(6)]
    for number, face in enumerate(view):
        left, opposite, right = (
            rim[2 * number],
            rim[(2 * number + 1) % 6],
            rim[(2 * number + 2) % 6],
        )
        figure.polygon(center, left, opposite, right, fill=f"fill{number}")
        middle = mix(center, opposite, 0.5)
        if not pips:
            figure.write(str(face), middle, scale=1.2)
            continue
        for u, v in _PIPS[face]:
            x = middle[0] + 0.27 * (u * (left[0] - center[0]) + v * (right[0] - center[0]))
            y = middle[1] + 0.27 * (u * (left[1] - center[1]) + v * (right[1] - center[1]))
            figure.disc((x, y), 0.095)
