"""Angles at parallel lines: a transversal, and a bend between the lines."""

from reasonrft.worlds.structure.chain import minus, plus
from reasonrft.worlds.structure.plane import Point, polar
from reasonrft.worlds.structure.puzzle import Draw, Puzzle
from reasonrft.worlds.structure.question_phrases import ask, listed
from reasonrft.worlds.structure.sketch import Sketch
from reasonrft.worlds.structure.topologies.triangles import step_of

# The four angles at a crossing, counted from the right end upwards; the last two lie below.
_RELATIONS = {
    (2, 0): "alternate angles",
    (3, 1): "alternate angles",
    (0, 2): "alternate angles",
    (1, 3): "alternate angles",
    (2, 1): "co-interior angles",
    (3, 0): "co-interior angles",
}
_RAYS = {"P": ("R1", "U", "L1", "Q"), "Q": ("R2", "P", "L2", "D")}
"""Crossings, and the ends of the rays from them, counter-clockwise from the right."""


def transversal(draw: Draw) -> Puzzle:
    """One of the eight angles at a line across two parallels is given, another asked."""
    asked = draw.target(range(40, 141, step_of(draw)))
    first, second = draw.number(0, 3), draw.number(0, 3)
    given = asked if (first + second) % 2 == 0 else 180 - asked
    lean = given if first % 2 == 0 else 180 - given
    sketch = Sketch(("P", "Q", "R1", "L1", "R2", "L2", "U", "D"), _place_lines(draw, lean))
    sketch.lines(("L1", "R1"), ("L2", "R2"), ("U", "D"))
    for path in (("P", "R1"), ("Q", "R2")):
        sketch.figure.mark("arrow", *sketch.at(path))
    of = {}
    for name, vertex, corner in (("1", "P", first), ("2", "Q", second)):
        rays = _RAYS[vertex]
        of[name] = (rays[corner], vertex, rays[(corner + 1) % 4])
        sketch.figure.mark("arc", *sketch.at(of[name]))
        sketch.figure.angle(name, *sketch.at(of[name]))
    for name, end in (("a", "R1"), ("b", "R2"), ("c", "U")):
        sketch.figure.name(name, sketch.points[end])
    sketch.tell("∠1", given, "angle", of["1"])
    _explain_transversal(draw, given, asked, (first, second))
    facts = draw.choose(
        [
            f"lines a and b are parallel and line c crosses them, ∠1={given}°",
            f"line a ∥ line b, both are cut by line c, and ∠1={given}°",
        ]
    )
    return sketch.puzzle(
        draw,
        ask(draw, facts, "the measure of ∠2"),
        asked,
        (given, first, second),
        ("angle", *of["2"]),
        mistakes=(180 - asked, abs(90 - asked), asked + 10, asked // 2),
        unit="°",
    )


def _place_lines(draw: Draw, lean: int) -> list[Point]:
    """Crossings and ends of two level lines and one that leans; perhaps all turned."""
    q: Point = (0.0, 0.0)
    p = polar(q, 2.0 / _sine(lean), lean)
    up, down = polar(p, 1.5 / _sine(lean), lean), polar(q, -1.5 / _sine(lean), lean)
    left, right = min(p[0], 0.0) - 2.2, max(p[0], 0.0) + 2.2
    ends = [(right, p[1]), (left, p[1]), (right, 0.0), (left, 0.0)]
    turn = draw.choose([0, 0, 0, 10, -15, 90])
    return [_turn(point, turn) for point in (p, q, *ends, up, down)]


def _sine(degrees: float) -> float:
    return polar((0.0, 0.0), 1.0, degrees)[1]


def _turn(point: Point, degrees: float) -> Point:
    return polar(polar((0.0, 0.0), point[0], degrees), point[1], degrees + 90)


def _explain_transversal(draw: Draw, given: int, asked: int, corners: tuple[int, int]) -> None:
    chain = draw.chain
    first, second = corners
    relation = "corresponding angles" if first == second else _RELATIONS.get(corners)
    if (first + second) % 2 == 0:
        chain.say(
            f"∠1 and ∠2 are {relation} at parallel lines, so they are equal",
            f"Because a ∥ b, the {relation} ∠1 and ∠2 are equal",
            compact="equal",
        )
        chain.say(f"∠2 = ∠1 = {given}", compact=f"∠1 = {given}. ∠2 = {given}")
        return
    if relation:
        chain.say(f"∠1 and ∠2 are {relation}, so they make 180 degrees", compact="sum 180")
    else:
        chain.say("The angle at b that corresponds to ∠1 makes a straight line with ∠2",
                  "Moved along c to line b, ∠1 lies beside ∠2 on a straight line",
                  compact="sum 180")  # fmt: skip
    chain.given({"∠1": given})
    chain.work(minus(180, given), "∠2 =", "So ∠2 =")


def bend(draw: Draw) -> Puzzle | None:
    """A path bends between two parallels; its angle is the sum of the two at the lines."""
    inner = draw.target((True, False), "way")
    step = step_of(draw)
    asked = draw.target(range(60, 141, step) if inner else range(20, 76, step), str(inner))
    at_a = draw.number(20 // step, 75 // step) * step
    at_c = asked - at_a if inner else asked
    if not 20 <= at_c <= 75:
        return None
    a, b, c, d, e = draw.letters(5)
    sketch = Sketch((a, b, c, d, e), _place_bend(draw, at_a, at_c))
    sketch.lines((a, b), (c, d), (a, e, c))
    for path in ((a, b), (c, d)):
        sketch.figure.mark("arrow", *sketch.at(path))
    sketch.name((a, b, c, d, e))
    upper, lower, middle = f"∠{b}{a}{e}", f"∠{d}{c}{e}", f"∠{a}{e}{c}"
    of = {upper: (b, a, e), lower: (d, c, e), middle: (a, e, c)}
    given = {upper: at_a, **({lower: at_c} if inner else {middle: at_a + at_c})}
    wanted = middle if inner else lower
    for name, value in given.items():
        sketch.tell(name, value, "angle", of[name])
    draw.chain.say(
        f"Draw a line through {e} parallel to {a}{b}. It splits {middle} into parts equal to "
        f"{upper} and {lower}",
        f"By a parallel through {e}, {middle} is {upper} and {lower} together",
    )
    draw.chain.given(given)
    draw.chain.work(plus(at_a, at_c) if inner else minus(at_a + at_c, at_a), f"{wanted} =")
    return sketch.puzzle(
        draw,
        ask(draw, f"{a}{b} ∥ {c}{d}, {listed(given, '°')}", f"the measure of {wanted}"),
        asked,
        (inner, at_a, at_c),
        ("angle", *of[wanted]),
        mistakes=(180 - asked, 180 - at_a - at_c, abs(at_a - at_c), at_a, 90 - asked),
        unit="°",
    )


def _place_bend(draw: Draw, at_a: int, at_c: int) -> list[Point]:
    """Start and end of the upper line, of the lower one, and the bend."""
    a: Point = (0.0, 0.0)
    e = polar(a, 2 / _sine(at_a), -at_a)
    c = polar(e, 1.6 / _sine(at_c), 180 + at_c)
    reach = max(e[0], 1.0) + 1.2
    return draw.turned([a, (reach, 0.0), c, (reach, c[1]), e], level=True)
