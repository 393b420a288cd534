"""Angles of triangles: the sum, the isosceles triangle, the exterior angle."""

from reasonrft.worlds.structure.chain import minus, over, plus, times
from reasonrft.worlds.structure.plane import mix, triangle
from reasonrft.worlds.structure.puzzle import Draw, Puzzle
from reasonrft.worlds.structure.question_phrases import ask, listed
from reasonrft.worlds.structure.sketch import Sketch


def step_of(draw: Draw) -> int:
    """Small problems keep to multiples of five degrees."""
    return 5 if draw.small else 1


def triangle_sum(draw: Draw) -> Puzzle | None:
    """Two angles of a triangle given, the third asked."""
    step = step_of(draw)
    asked = draw.target(range(20, 131, step))
    first = draw.number(20 // step, 120 // step) * step
    second = 180 - asked - first
    if second < 20:
        return None
    a, b, c = draw.letters(3)
    sketch = Sketch((a, b, c), draw.turned(triangle(10, first, second)))
    sketch.figure.polygon(*sketch.at((a, b, c)))
    for rays, count in (((b, a, c), 1), ((a, b, c), 1), ((a, c, b), 2)):
        sketch.figure.mark("arc", *sketch.at(rays), count=count)
    sketch.name((a, b, c))
    sketch.tell(f"∠{a}", first, "angle", (b, a, c))
    sketch.tell(f"∠{b}", second, "angle", (a, b, c))
    given = {f"∠{a}": first, f"∠{b}": second}
    draw.chain.say("The angles of a triangle add up to 180 degrees", "All three make 180 degrees")
    draw.chain.given(given)
    draw.chain.work(plus(first, second))
    draw.chain.work(minus(180, first + second), f"∠{c} =", f"What is left for ∠{c} is")
    return sketch.puzzle(
        draw,
        ask(draw, f"in triangle {a}{b}{c}, {listed(given, '°')}", f"the measure of ∠{c}"),
        asked,
        (sorted((first, second)),),
        ("angle", a, c, b),
        mistakes=(180 - asked, first + second - 90, asked // 2, 180 - first),
        unit="°",
    )


def isosceles(draw: Draw) -> Puzzle:
    """From the apex of an isosceles triangle to its base angles, or back."""
    from_apex = draw.target((True, False), "way")
    base = draw.target(range(20, 81, step_of(draw)), "base" if from_apex else "apex")
    given, asked = (180 - 2 * base, base) if from_apex else (base, 180 - 2 * base)
    top, left, right = draw.letters(3)
    sketch = Sketch((left, right, top), draw.turned(triangle(10, base, base)))
    sketch.figure.polygon(*sketch.at((left, right, top)))
    for end in (left, right):
        sketch.figure.mark("tick", *sketch.at((top, end)))
    sketch.name((top, left, right))
    known, wanted = (top, left) if from_apex else (left, top)
    of = {top: (left, top, right), left: (top, left, right)}
    sketch.tell(f"∠{known}", given, "angle", of[known])
    _explain_isosceles(draw, top, (left, right), given, from_apex)
    sides = f"{top}{left}={top}{right}"
    facts = f"in triangle {top}{left}{right}, {sides} and ∠{known}={given}°"
    return sketch.puzzle(
        draw,
        ask(draw, facts, f"the measure of ∠{wanted}"),
        asked,
        (from_apex, given),
        ("angle", *of[wanted]),
        mistakes=(given, 180 - given, 180 - asked, 2 * asked, (180 - given) // 2),
        unit="°",
    )


def _explain_isosceles(
    draw: Draw, top: str, ends: tuple[str, str], given: int, from_apex: bool
) -> None:
    left, right = ends
    chain = draw.chain
    equal = f"the angles at {left} and {right} are equal"
    chain.say(f"{top}{left} = {top}{right}, so {equal}", f"The triangle is isosceles, so {equal}")
    if from_apex:
        rest = 180 - given
        chain.given({f"∠{top}": given})
        chain.work(minus(180, given), "The other two share", "Left for the two:")
        chain.work(over(rest, 2), "Each of them is", f"∠{left} =")
        return
    chain.given({f"∠{left}": given})
    chain.work(times(2, given), "The two together are", "Both base angles make")
    chain.work(minus(180, 2 * given), f"∠{top} =", "What is left is")


def exterior_angle(draw: Draw) -> Puzzle | None:
    """An exterior angle is the sum of the two inner angles far from it."""
    outward = draw.target((True, False), "way")
    step = step_of(draw)
    asked = draw.target(range(50, 151, step) if outward else range(20, 111, step), str(outward))
    first = draw.number(20 // step, (asked - 20 if outward else 110) // step) * step
    second = asked - first if outward else asked
    outer = first + second
    if second < 20 or outer > 155:
        return None
    b0, c0, a0 = triangle(10, second, 180 - outer)
    a, b, c, d = draw.letters(4)
    sketch = Sketch((a, b, c, d), draw.turned([a0, b0, c0, mix(b0, c0, 1.45)]))
    sketch.figure.polygon(*sketch.at((a, b, c)))
    sketch.lines((c, d))
    sketch.figure.mark("arc", *sketch.at((a, c, d)), count=1 + (not outward))
    sketch.figure.mark("arc", *sketch.at((b, a, c)))
    sketch.name((a, b, c, d))
    of = {f"∠{a}": (b, a, c), f"∠{b}": (a, b, c), f"∠{a}{c}{d}": (a, c, d)}
    near, far, outside = of
    given = {near: first, **({far: second} if outward else {outside: outer})}
    wanted = outside if outward else far
    for name, value in given.items():
        sketch.tell(name, value, "angle", of[name])
    _explain_exterior(draw, given, wanted, outward)
    facts = f"side {b}{c} of triangle {a}{b}{c} is extended to {d}, {listed(given, '°')}"
    return sketch.puzzle(
        draw,
        ask(draw, facts, f"the measure of {wanted}"),
        asked,
        (outward, *given.values()),
        ("angle", *of[wanted]),
        mistakes=(180 - asked, 180 - outer, first, abs(180 - first - outer)),
        unit="°",
    )


def _explain_exterior(draw: Draw, given: dict[str, int], wanted: str, outward: bool) -> None:
    draw.chain.say(
        "An exterior angle equals the sum of the two inner angles that are not next to it",
        "The outer angle is as large as the two far inner angles together",
    )
    draw.chain.given(given)
    first, second = given.values()
    work = plus(first, second) if outward else minus(second, first)
    draw.chain.work(work, f"{wanted} =", f"So {wanted} =")
