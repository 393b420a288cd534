"""Angles of triangles as Geometry3K draws them: labels in the figure, one of them unknown."""

from reasonrft.worlds.structure.chain import minus, plus
from reasonrft.worlds.structure.equations import find, unknown
from reasonrft.worlds.structure.plane import mix, triangle
from reasonrft.worlds.structure.puzzle import Draw, Puzzle
from reasonrft.worlds.structure.sketch import Sketch
from reasonrft.worlds.structure.topologies.triangles import step_of

NARROWEST = 30
"""Degrees of an angle that still has room for its label."""


def labelled_triangle(draw: Draw) -> Puzzle | None:
    """Two labelled angles of a triangle, and the third."""
    step, name = step_of(draw), unknown(draw)
    asked = draw.target(range(NARROWEST, 181 - 2 * NARROWEST, step))
    first = draw.number(NARROWEST // step, (180 - asked - NARROWEST) // step) * step
    second = 180 - asked - first
    if second < NARROWEST:
        return None
    a, b, c = names = draw.letters(3)
    sketch = Sketch(names, draw.turned(triangle(10, first, second)))
    sketch.lines((a, b, c, a))
    for rays, label in (((b, a, c), first), ((a, b, c), second), ((a, c, b), name)):
        sketch.draw_angle(rays, label)
    sketch.name(names)
    draw.chain.say("The angles of a triangle add up to 180 degrees", "All three make 180 degrees")
    draw.chain.work(plus(first, second))
    draw.chain.work(f"{name} = {minus(180, first + second)}")
    return sketch.puzzle(
        draw,
        find(draw, name),
        asked,
        tuple(sorted((first, second))),
        unknown=name,
        mistakes=(180 - asked, first + second - 90, asked // 2, 180 - first),
    )


def labelled_exterior(draw: Draw) -> Puzzle | None:
    """A labelled angle outside a triangle, and the two far from it; one of the three is unknown."""
    outward = draw.target((True, False), "way")
    step, name = step_of(draw), unknown(draw)
    low, high = (2 * NARROWEST, 140) if outward else (NARROWEST, 140 - NARROWEST)
    asked = draw.target(range(low, high + 1, step), str(outward))
    most = asked - NARROWEST if outward else 140 - asked
    if most < NARROWEST:
        return None
    first = draw.number(NARROWEST // step, most // step) * step
    second = asked - first if outward else asked
    outer = first + second
    b0, c0, a0 = triangle(10, second, 180 - outer)
    a, b, c, d = names = draw.letters(4)
    sketch = Sketch(names, draw.turned([a0, b0, c0, mix(b0, c0, 1.45)]))
    sketch.lines((a, b, c, a), (c, d))
    labels = (first, second, name) if outward else (first, name, outer)
    for rays, label in zip(((b, a, c), (a, b, c), (a, c, d)), labels, strict=True):
        sketch.draw_angle(rays, label)
    sketch.name(names)
    draw.chain.say(
        "An exterior angle equals the sum of the two inner angles that are not next to it",
        "The outer angle is as large as the two far inner angles together",
    )
    work = plus(first, second) if outward else minus(outer, first)
    draw.chain.work(f"{name} = {work}")
    return sketch.puzzle(
        draw,
        find(draw, name),
        asked,
        (outward, first, second),
        unknown=name,
        mistakes=(180 - asked, 180 - outer, first, abs(180 - first - outer)),
    )
