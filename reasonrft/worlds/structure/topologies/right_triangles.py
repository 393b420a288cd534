"""Right triangles: Pythagoras, ratios, and the altitude."""

from fractions import Fraction

from reasonrft.worlds.structure.chain import plus, times
from reasonrft.worlds.structure.equations import (
    find,
    longest_side,
    other_leg,
    take_root,
    unknown,
)
from reasonrft.worlds.structure.plane import mix
from reasonrft.worlds.structure.puzzle import Draw, Puzzle
from reasonrft.worlds.structure.sketch import Sketch
from reasonrft.worlds.structure.topologies.tangents import ORIGIN
from reasonrft.worlds.structure.values import Value, root

_TRIPLES = ((3, 4, 5), (5, 12, 13), (8, 15, 17), (7, 24, 25), (20, 21, 29), (9, 40, 41))


def right_triangle(draw: Draw, across: float, up: float) -> tuple[Sketch, tuple[str, str, str]]:
    """The names are of the right angle, the end of the level leg, the end of the upright one."""
    c, a, b = draw.letters(3)
    sketch = Sketch((c, a, b), draw.turned([ORIGIN, (float(across), 0.0), (0.0, float(up))]))
    sketch.lines((c, a, b, c))
    sketch.figure.mark("right", *sketch.at((a, c, b)))
    return sketch, (c, a, b)


def pythagoras(draw: Draw) -> Puzzle | None:
    """Two sides are labelled with numbers, the third with the unknown."""
    to_longest = draw.target((True, False), "goal")
    most = 10 if draw.small else 24
    leg = draw.target(range(2, most), "leg")
    other = draw.number(2, most) if to_longest else draw.number(leg + 1, 2 * most)
    across = float(other if to_longest else root(other * other - leg * leg))
    if not 0.3 < across / leg < 3.3:
        return None
    sketch, (c, a, b) = right_triangle(draw, across, leg)
    name = unknown(draw)
    level, slope = (other, name) if to_longest else (name, other)
    sketch.draw_lengths({(c, a): level, (c, b): leg, (a, b): slope})
    draw.chain.say(
        "In a right triangle the squares of the legs add up to the square of the longest side",
        "By the theorem of Pythagoras",
        compact="right angle",
    )
    answer = (
        longest_side(draw.chain, name, leg, other)
        if to_longest
        else other_leg(draw.chain, name, other, leg)
    )
    mixed_up = abs(other * other - leg * leg) if to_longest else leg * leg + other * other
    return sketch.puzzle(
        draw,
        find(draw, name),
        answer,
        (to_longest, leg, other),
        unknown=name,
        mistakes=(leg + other, abs(other - leg), root(mixed_up or 2), leg * other),
    )


def trigonometric_ratio(draw: Draw) -> Puzzle:
    """Sine, cosine or tangent of an acute angle from three labelled sides."""
    ratio = draw.target(("sin", "cos", "tan"), "ratio")
    scale = draw.number(1, 2 if draw.small else 4)
    legs = draw.choose(_TRIPLES[:2] if draw.small else _TRIPLES)
    opposite, adjacent, longest = (scale * side for side in legs)
    if draw.chance(0.5):
        opposite, adjacent = adjacent, opposite
    sketch, (c, a, b) = right_triangle(draw, adjacent, opposite)
    sketch.name((c, a, b))
    sketch.draw_lengths({(c, a): adjacent, (c, b): opposite, (a, b): longest})
    top, bottom, rule = {
        "sin": (opposite, longest, "opposite side over longest side"),
        "cos": (adjacent, longest, "adjacent side over longest side"),
        "tan": (opposite, adjacent, "opposite side over adjacent side"),
    }[ratio]
    answer = Value(Fraction(top, bottom))
    draw.chain.say(f"{ratio} {a} is {rule}", f"{ratio} {a} means {rule}")
    simplest = f" = {answer}" if str(answer) != f"{top}/{bottom}" else ""
    draw.chain.work(f"{ratio} {a} = {top}/{bottom}{simplest}")
    sides = (opposite, adjacent, longest)
    return sketch.puzzle(
        draw,
        f"Find {ratio} {a}.",
        answer,
        (ratio, opposite, adjacent, a),
        (ratio, c, a, b),
        mistakes=[Fraction(x, y) for x in sides for y in sides if x != y],
    )


def altitude(draw: Draw) -> Puzzle | None:
    """The altitude of a right triangle is the geometric mean of the parts of the longest side."""
    to_height = draw.target((True, False), "goal")
    most = 9 if draw.small else 18
    left, right = draw.number(2, most), draw.number(2, most)
    if left == right or not 0.2 < left / right < 5:
        return None
    height, both = root(left * right), left + right
    top = (float(left), float(height))
    spots = draw.turned([ORIGIN, (float(both), 0.0), top])
    a, b, c, d = draw.letters(4)
    sketch = Sketch((a, b, c, d), [*spots, mix(spots[0], spots[1], left / both)])
    name = unknown(draw)
    sketch.lines((a, b, c, a), (c, d))
    sketch.figure.mark("right", *sketch.at((a, c, b)))
    sketch.figure.mark("right", *sketch.at((c, d, b)))
    sketch.draw_lengths({(a, d): left, (d, b): right, (c, d) if to_height else (a, c): name})
    sketch.name((a, b, c, d))
    answer = _explain_mean(draw, name, left, right, to_height)
    return sketch.puzzle(
        draw,
        find(draw, name),
        answer,
        (to_height, left, right),
        unknown=name,
        mistakes=(height, root(right * both), root(left * both), both, Fraction(both, 2)),
    )


def _explain_mean(draw: Draw, name: str, left: int, right: int, to_height: bool) -> Value:
    chain = draw.chain
    if to_height:
        chain.say(
            "The altitude times itself is the product of the two parts of the longest side",
            "The altitude is the geometric mean of the two parts",
        )
    else:
        chain.say(
            "A leg times itself is its part of the longest side times the whole longest side",
            "The leg is the geometric mean of its part and the whole",
        )
        chain.work(plus(left, right))
    factor = right if to_height else left + right
    chain.work(f"{name} × {name} = {times(left, factor)}")
    return take_root(chain, name, left * factor)
