"""Trapezoids with their midsegment, parallelograms, rhombi: labels on sides and diagonals."""

from fractions import Fraction

from reasonrft.worlds.structure.chain import Chain, minus, over, plus, times
from reasonrft.worlds.structure.equations import find, label_at, solve, unknown
from reasonrft.worlds.structure.plane import Point, length, middle, polar
from reasonrft.worlds.structure.puzzle import Draw, Puzzle
from reasonrft.worlds.structure.sketch import Sketch
from reasonrft.worlds.structure.topologies.tangents import ORIGIN
from reasonrft.worlds.structure.values import Linear


def midsegment(draw: Draw) -> Puzzle | None:
    """The midsegment of a trapezoid is half the sum of its bases."""
    goal = draw.target(("middle", "base", "algebra"), "goal")
    name = unknown(draw)
    mid = draw.target(range(6, 20 if draw.small else 50), goal)
    top = draw.number(3, mid - 1)
    bottom = 2 * mid - top
    if bottom > 3 * top:
        return None
    answer = draw.target(range(3, 20), "solution") if goal == "algebra" else 0
    label = label_at(draw, name, answer, mid) if goal == "algebra" else None
    a, b, c, d, e, f = names = draw.letters(6)
    sketch = Sketch(names, _trapezoid(draw, top, bottom))
    sketch.lines((a, b, c, d, a), (e, f))
    for ends, count in (((a, e), 1), ((e, d), 1), ((b, f), 2), ((f, c), 2)):
        sketch.figure.mark("tick", *sketch.at(ends), count=count)
    for ends in ((a, b), (d, c)):
        sketch.figure.mark("arrow", *sketch.at(ends))
    sketch.draw_length((a, b), name if goal == "base" else bottom)
    sketch.draw_length((d, c), top)
    sketch.draw_length((e, f), {"middle": name, "base": mid}.get(goal, label))
    sketch.name(names)
    draw.chain.say(
        "The midsegment is half the sum of the two bases",
        "Twice the midsegment is the sum of the bases",
    )
    _explain_midsegment(draw.chain, name, top, bottom, label, goal)
    answer = {"middle": mid, "base": bottom}.get(goal, answer)
    return sketch.puzzle(
        draw,
        find(draw, name),
        answer,
        (goal, top, bottom, str(label)),
        unknown=name,
        mistakes=(top + bottom, bottom - top, abs(mid - top), 2 * answer, answer + 1, mid),
    )


def _trapezoid(draw: Draw, top: int, bottom: int) -> list[Point]:
    """Corners around, then the middles of the legs."""
    shift, height = draw.number(-2, 8) / 10 * (bottom - top), 0.42 * bottom
    a, b, c, d = draw.turned([ORIGIN, (float(bottom), 0.0), (shift + top, height), (shift, height)])
    return [a, b, c, d, middle(a, d), middle(b, c)]


def _explain_midsegment(
    chain: Chain, name: str, top: int, bottom: int, label: Linear | None, goal: str
) -> None:
    both = top + bottom
    if goal == "base":
        chain.work(times(2, both // 2))
        chain.work(f"{name} = {minus(both, top)}")
        return
    chain.work(plus(top, bottom))
    chain.work(over(both, 2) if label else f"{name} = {over(both, 2)}")
    if label:
        solve(chain, label, both // 2)


def parallelogram(draw: Draw) -> Puzzle | None:
    """Opposite sides, or halves of a diagonal, are equal."""
    halves = draw.target((False, True), "kind")
    name = unknown(draw)
    answer = draw.target(range(2, 12 if draw.small else 24))
    size = draw.number(5, 25 if draw.small else 45)
    first, second = label_at(draw, name, answer, size), label_at(draw, name, answer, size)
    if first.factor == second.factor:
        return None
    a, b, c, d, e = draw.letters(5)
    sketch = Sketch((a, b, c, d, e), _slanted(draw, size, halves))
    sketch.lines((a, b, c, d, a), *([(a, c), (b, d)] if halves else []))
    ends = ((a, e), (e, c)) if halves else ((a, b), (d, c))
    sketch.draw_lengths(dict(zip(ends, (first, second), strict=True)))
    sketch.name((a, b, c, d))
    draw.chain.say(*_EQUAL[halves], compact="halves equal" if halves else "sides equal")
    solve(draw.chain, first, second)
    question = draw.choose(
        (
            f"{a}{b}{c}{d} is a parallelogram. Find {name}.",
            f"Find {name} so that the quadrilateral is a parallelogram.",
        )
    )
    return sketch.puzzle(
        draw,
        question,
        answer,
        (halves, first, second),
        unknown=name,
        mistakes=(size, answer + 1, 2 * answer, abs(first.shift), abs(second.shift)),
    )


_EQUAL = {
    True: (
        "The diagonals of a parallelogram cut each other in half",
        "The diagonals bisect each other",
    ),
    False: (
        "Opposite sides of a parallelogram are equal",
        "In a parallelogram, opposite sides have the same length",
    ),
}


def _slanted(draw: Draw, size: int, halves: bool) -> list[Point]:
    """Corners and centre; its base, or half of its first diagonal, is as long as the size."""
    corner = polar(
        ORIGIN, size * draw.choose([0.5, 0.6, 0.75]), draw.choose([50, 60, 70, 110, 120])
    )
    far = (size + corner[0], corner[1])
    scale = 2 * size / length(ORIGIN, far) if halves else 1.0
    shape = [(x * scale, y * scale) for x, y in (ORIGIN, (float(size), 0.0), far, corner)]
    placed = draw.turned(shape)
    return [*placed, middle(placed[0], placed[2])]


def rhombus_area(draw: Draw) -> Puzzle | None:
    """Half the product of the diagonals, whose halves are labelled."""
    most = 8 if draw.small else 16
    across, up = draw.target(range(2, most)), draw.number(2, most)
    if not 0.35 < across / up < 2.8:
        return None
    x, y = float(across), float(up)
    a, b, c, d, e = draw.letters(5)
    placed = draw.turned([(x, 0.0), (0.0, y), (-x, 0.0), (0.0, -y), ORIGIN])
    sketch = Sketch((a, b, c, d, e), placed)
    sketch.lines((a, b, c, d, a), (a, c), (b, d))
    sketch.figure.mark("right", *sketch.at((a, e, b)))
    for ends in ((a, b), (b, c), (c, d), (d, a)):
        sketch.figure.mark("tick", *sketch.at(ends))
    sketch.draw_lengths({(a, e): across, (b, e): up})
    sketch.name((a, b, c, d))
    full, tall = 2 * across, 2 * up
    draw.chain.say(
        "The area of a rhombus is half the product of its diagonals",
        "Half the product of the diagonals gives the area",
    )
    draw.chain.work(times(2, across), "One diagonal is", "Diagonal:")
    draw.chain.work(times(2, up), "The other is", "Other diagonal:")
    draw.chain.work(times(full, tall))
    draw.chain.work(over(full * tall, 2))
    return sketch.puzzle(
        draw,
        draw.choose(("Find the area of the rhombus.", f"Find the area of rhombus {a}{b}{c}{d}.")),
        full * tall // 2,
        (across, up),
        ("area", a, b, c, d),
        mistakes=(across * up, full * tall, Fraction(across * up, 2), full + tall),
    )
