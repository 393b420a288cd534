"""Similar triangles: one inside the other, and two side by side."""

from reasonrft.worlds.structure.chain import over, plus, times
from reasonrft.worlds.structure.plane import Point, mix, triangle_of_sides
from reasonrft.worlds.structure.puzzle import Draw, Puzzle
from reasonrft.worlds.structure.question_phrases import ask, listed
from reasonrft.worlds.structure.sketch import Sketch

_RATIOS = ((1, 2), (1, 3), (2, 3), (3, 4), (2, 5), (3, 5))


def _third_side(draw: Draw, first: float, second: float) -> float:
    """A length that closes a well-shaped triangle."""
    low, high = abs(first - second), first + second
    return low + (high - low) * draw.choose([0.35, 0.45, 0.55, 0.65])


def _explain_ratio(draw: Draw, wanted: str, other: int, top: int, bottom: int) -> int:
    """The wanted side from its partner: other × top / bottom."""
    draw.chain.work(times(other, top))
    draw.chain.work(over(other * top, bottom), f"{wanted} =", f"So {wanted} =")
    return other * top // bottom


def inner_triangle(draw: Draw) -> Puzzle | None:
    """A line parallel to a side cuts off a similar triangle."""
    part, full = draw.target(_RATIOS, "ratio")
    outward = draw.target((True, False), "goal")
    piece = draw.target(range(1, 6 if draw.small else 9))
    side = draw.number(1, 5 if draw.small else 8)
    de, bc, ad, ab = part * piece, full * piece, part * side, full * side
    if not 0.4 < ab / bc < 2.5:
        return None
    b0, c0, a0 = triangle_of_sides(bc, ab, _third_side(draw, ab, bc))
    placed = draw.turned([a0, b0, c0, mix(a0, b0, part / full), mix(a0, c0, part / full)])
    a, b, c, d, e = draw.letters(5)
    sketch = Sketch((a, b, c, d, e), placed)
    sketch.figure.polygon(*sketch.at((a, b, c)))
    sketch.figure.polygon(*sketch.at((a, d, e)), fill="fill1")
    sketch.name((a, b, c, d, e))
    known = {a + d: ad, d + b: ab - ad, **({d + e: de} if outward else {b + c: bc})}
    for name, value in known.items():
        sketch.tell(name, value, "length", name)
    draw.chain.say(
        f"Because {d}{e} ∥ {b}{c}, triangles {a}{d}{e} and {a}{b}{c} are similar",
        f"Triangle {a}{d}{e} is a smaller copy of triangle {a}{b}{c}",
    )
    draw.chain.given(known)
    draw.chain.work(plus(ad, ab - ad), f"{a}{b} =", f"Together {a}{b} =")
    wanted, other = (b + c, de) if outward else (d + e, bc)
    top, bottom = (ab, ad) if outward else (ad, ab)
    answer = _explain_ratio(draw, wanted, other, top, bottom)
    facts = f"in triangle {a}{b}{c}, {d}{e} ∥ {b}{c}, {listed(known)}"
    return sketch.puzzle(
        draw,
        ask(draw, facts, f"the length of {wanted}"),
        answer,
        (outward, part, full, piece, side),
        ("length", *wanted),
        mistakes=(other * (ab - ad) // bottom, other * bottom // top, other + ab - ad, 2 * answer),
    )


def similar_pair(draw: Draw) -> Puzzle | None:
    """Two similar triangles with a pair of sides and a third one given."""
    part, full = draw.target(_RATIOS, "ratio")
    outward = draw.target((True, False), "goal")
    first, second = draw.number(2, 8), draw.target(range(2, 10))
    if not 0.5 < first / second < 2:
        return None
    names = draw.letters(6)
    a, b, c, d, e, f = names
    sketch = Sketch(names, _side_by_side(draw, first, second, part, full))
    sketch.figure.polygon(*sketch.at((a, b, c)))
    sketch.figure.polygon(*sketch.at((d, e, f)), fill="fill1")
    sketch.name(names)
    sides = {a + b: full * first, d + e: part * first, a + c: full * second, d + f: part * second}
    wanted, partner = (a + c, d + f) if outward else (d + f, a + c)
    known = {side: size for side, size in sides.items() if side != wanted}
    for name, value in known.items():
        sketch.tell(name, value, "length", name)
    draw.chain.say(
        f"Sides of similar triangles are in one ratio, {a}{b} to {d}{e}",
        f"{a}{b} matches {d}{e}, and {a}{c} matches {d}{f}",
    )
    draw.chain.given(known)
    ends = (a + b, d + e) if outward else (d + e, a + b)
    top, bottom = (sides[end] for end in ends)
    other = sides[partner]
    answer = _explain_ratio(draw, wanted, other, top, bottom)
    facts = f"triangle {a}{b}{c} is similar to triangle {d}{e}{f}, {listed(known)}"
    return sketch.puzzle(
        draw,
        ask(draw, facts, f"the length of {wanted}"),
        answer,
        (outward, part, full, first, second),
        ("length", *wanted),
        mistakes=(other * bottom // top, other + abs(top - bottom), 2 * answer, other),
    )


def _side_by_side(draw: Draw, first: int, second: int, part: int, full: int) -> list[Point]:
    """Corners of the larger triangle, then of the smaller one to its right."""
    third = _third_side(draw, first, second)
    large = triangle_of_sides(full * first, full * second, full * third)
    small = triangle_of_sides(part * first, part * second, part * third)
    right = max(x for x, _ in large) + 0.25 * full * first
    shift = right - min(x for x, _ in small)
    return draw.turned([*large, *((x + shift, y) for x, y in small)], level=True)
