"""Right triangles with 45 degrees, or with 30 and 60."""

from fractions import Fraction

from reasonrft.worlds.structure.equations import find, unknown
from reasonrft.worlds.structure.puzzle import Draw, Puzzle
from reasonrft.worlds.structure.topologies.right_triangles import right_triangle
from reasonrft.worlds.structure.values import Value, whole


def half_square(draw: Draw) -> Puzzle:
    """A leg and the longest side of a triangle with 45 degrees."""
    to_longest = draw.target((True, False), "goal")
    leg = draw.target(range(2, 14 if draw.small else 30), "leg")
    longest = Value(Fraction(leg), 2)
    sketch, (c, a, b) = right_triangle(draw, leg, leg)
    name = unknown(draw)
    asked_leg = draw.choose(((c, a), (c, b)))
    known, slope = (leg, name) if to_longest else (name, longest)
    sketch.draw_lengths({asked_leg: known, (a, b): slope})
    sketch.draw_angle((c, a, b), 45)
    draw.chain.say(
        "With 45 degrees both legs are equal, and the longest side is √2 times a leg",
        "It is half a square: the longest side is √2 times a leg",
        compact="half square",
    )
    work = f"{leg} × √2 = {longest}" if to_longest else f"{longest} / √2 = {leg}"
    draw.chain.work(f"{name} = {work}")
    return sketch.puzzle(
        draw,
        find(draw, name),
        longest if to_longest else leg,
        (to_longest, leg, asked_leg == (c, a)),
        unknown=name,
        mistakes=(leg, longest, 2 * leg, Value(Fraction(leg), 3), longest.times(Fraction(1, 2))),
    )


_WAYS = (
    ("short", "long"),
    ("short", "middle"),
    ("long", "short"),
    ("long", "middle"),
    ("middle", "short"),
    ("middle", "long"),
)


def half_equilateral(draw: Draw) -> Puzzle:
    """One side of a triangle with 30 and 60 degrees from another one."""
    known, wanted = draw.target(_WAYS, "way")
    short = draw.target(range(2, 14 if draw.small else 30), "short")
    values = {"short": whole(short), "middle": Value(Fraction(short), 3), "long": whole(2 * short)}
    sketch, (c, a, b) = right_triangle(draw, float(values["middle"]), short)
    sides = {"short": (c, b), "middle": (c, a), "long": (a, b)}
    name = unknown(draw)
    sketch.draw_lengths({sides[known]: values[known], sides[wanted]: name})
    degrees = draw.choose((30, 60))
    sketch.draw_angle((c, a, b) if degrees == 30 else (c, b, a), degrees)
    draw.chain.say(
        f"With {degrees} degrees the sides are as 1 to √3 to 2",
        "It is half an equilateral triangle, with sides as 1 to √3 to 2",
        compact="half equilateral",
    )
    _explain(draw, name, short, known, wanted)
    answer = values[wanted]
    twice, half = answer.times(2), answer.times(Fraction(1, 2))
    return sketch.puzzle(
        draw,
        find(draw, name),
        answer,
        (short, known, wanted, degrees),
        unknown=name,
        mistakes=(*values.values(), twice, half, Value(Fraction(short), 2)),
    )


def _explain(draw: Draw, name: str, short: int, known: str, wanted: str) -> None:
    """Down to the short side first, then up to the wanted one."""
    down = {"long": f"{2 * short} / 2 = {short}", "middle": f"{short}√3 / √3 = {short}"}
    up = {"long": f"2 × {short} = {2 * short}", "middle": f"{short} × √3 = {short}√3"}
    if known != "short":
        lead = f"{name} = " if wanted == "short" else ""
        draw.chain.work(f"{lead}{down[known]}")
    if wanted != "short":
        draw.chain.work(f"{name} = {up[wanted]}")
