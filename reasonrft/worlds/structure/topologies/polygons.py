"""Polygons: the last inner angle; area and perimeter of a rectangle with a corner cut out."""

from reasonrft.worlds.structure.chain import minus, plus, times
from reasonrft.worlds.structure.plane import Point, polar
from reasonrft.worlds.structure.puzzle import Draw, Puzzle
from reasonrft.worlds.structure.question_phrases import ask, listed
from reasonrft.worlds.structure.sketch import Sketch
from reasonrft.worlds.structure.topologies.triangles import step_of

_NAMES = {4: "quadrilateral", 5: "pentagon", 6: "hexagon"}


def polygon_sum(draw: Draw) -> Puzzle | None:
    """All inner angles but one of a polygon are given."""
    step = step_of(draw)
    corners = draw.target((4, 5, 6), "corners")
    asked = draw.target(range(60 + 20 * (corners - 4), 151, step), str(corners))
    total = (corners - 2) * 180
    angles = [draw.number(60 // step, 155 // step) * step for _ in range(corners - 2)]
    angles.append(total - asked - sum(angles))
    if not 60 <= angles[-1] <= 155:
        return None
    names = draw.letters(corners)
    sketch = Sketch(names, draw.turned(_around_circle([*angles, asked])))
    sketch.figure.polygon(*sketch.at(names))
    of = [(names[i - 1], names[i], names[(i + 1) % corners]) for i in range(corners)]
    for rays in of:
        sketch.figure.mark("arc", *sketch.at(rays), count=1 + (rays == of[-1]))
    sketch.name(names)
    given = {f"∠{name}": angle for name, angle in zip(names, angles, strict=False)}
    for (name, angle), rays in zip(given.items(), of, strict=False):
        sketch.tell(name, angle, "angle", rays)
    _explain_sum(draw, corners, given, names[-1])
    facts = f"in {_NAMES[corners]} {''.join(names)}, {listed(given, '°')}"
    return sketch.puzzle(
        draw,
        ask(draw, facts, f"the measure of ∠{names[-1]}"),
        asked,
        (angles,),
        ("angle", *of[-1]),
        mistakes=(180 - asked, abs(360 - sum(angles)), asked + 20, asked - 20, total // corners),
        unit="°",
    )


def _around_circle(angles: list[int]) -> list[Point]:
    """Corners of the polygon with these inner angles whose sides all touch one circle."""
    corners, heading = [], 0.0
    for angle in angles:
        turn = 180 - angle
        reach = 1 / polar((0.0, 0.0), 1.0, turn / 2)[0]
        corners.append(polar((0.0, 0.0), reach, heading + turn / 2))
        heading += turn
    return corners


def _explain_sum(draw: Draw, corners: int, given: dict[str, int], last: str) -> None:
    chain = draw.chain
    chain.work(minus(corners, 2), f"Cut the {_NAMES[corners]} into triangles:", "Triangles in it:")
    chain.work(times(corners - 2, 180), "Its angles add up to", "All angles together make")
    chain.given(given)
    added = chain.add_up(list(given.values()))
    chain.work(minus((corners - 2) * 180, added), f"∠{last} =", f"For ∠{last} there is left")


def cut_corner(draw: Draw) -> Puzzle:
    """Area or perimeter of an L: a rectangle without a smaller one at a corner."""
    area = draw.target((True, False), "goal")
    most = 8 if draw.small else 14
    width, height = draw.number(4, most), draw.number(4, most)
    cut_width, cut_height = draw.number(1, width - 2), draw.number(1, height - 2)
    names = draw.letters(6)
    a, b, c, d, e, f = names
    sketch = Sketch(names, draw.turned(_l_shape(width, height, cut_width, cut_height), level=True))
    sketch.figure.polygon(*sketch.at(names))
    sketch.name(names)
    sides = {a + b: width, a + f: height, c + d: cut_width, d + e: cut_height}
    for side, size in sides.items():
        sketch.tell(side, size, "length", side)
    answer = _explain_area(draw, sides) if area else _explain_perimeter(draw, sides)
    full, cut = width * height, cut_width * cut_height
    around = 2 * (width + height)
    mistakes = (
        (full, full + cut, cut, around)
        if area
        else (around - cut_width - cut_height, full - cut, width + height, around + 2 * cut_width)
    )
    facts = f"all corners of the shape {''.join(names)} are right angles, {listed(sides)}"
    goal = "area" if area else "perimeter"
    return sketch.puzzle(
        draw,
        ask(draw, facts, f"the {goal} of the shape"),
        answer,
        (area, *sides.values()),
        (goal, *names),
        mistakes=mistakes,
    )


def _l_shape(width: int, height: int, cut_width: int, cut_height: int) -> list[Point]:
    """Around from the corner opposite the cut."""
    left, low = float(width - cut_width), float(height - cut_height)
    right, top = float(width), float(height)
    return [(0.0, 0.0), (right, 0.0), (right, low), (left, low), (left, top), (0.0, top)]


def _explain_area(draw: Draw, sides: dict[str, int]) -> int:
    chain = draw.chain
    width, height, cut_width, cut_height = sides.values()
    full, cut = width * height, cut_width * cut_height
    chain.say(
        "Take the whole rectangle and subtract the missing corner",
        "The shape is a rectangle without one corner",
    )
    chain.given(sides)
    chain.work(times(width, height), "Whole rectangle:", "The full rectangle has")
    chain.work(times(cut_width, cut_height), "Missing corner:", "The corner has")
    chain.work(minus(full, cut))
    return full - cut


def _explain_perimeter(draw: Draw, sides: dict[str, int]) -> int:
    chain = draw.chain
    (long, width), (tall, height), *_ = sides.items()
    chain.say(
        "The cut only moves two sides inwards, so the perimeter is that of the whole rectangle",
        "Its perimeter equals that of the full rectangle",
    )
    chain.given({long: width, tall: height})
    chain.work(plus(width, height))
    chain.work(times(2, width + height))
    return 2 * (width + height)
