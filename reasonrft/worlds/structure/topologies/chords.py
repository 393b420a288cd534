"""Chords that cross in a circle, and a tangent with a secant: lengths and angles."""

from fractions import Fraction

from reasonrft.worlds.structure.chain import minus, over, plus, times
from reasonrft.worlds.structure.equations import find, unknown
from reasonrft.worlds.structure.plane import crossing, length, polar
from reasonrft.worlds.structure.puzzle import Draw, Puzzle
from reasonrft.worlds.structure.sketch import Sketch
from reasonrft.worlds.structure.topologies.circle_plane import circle_through
from reasonrft.worlds.structure.topologies.tangents import ORIGIN
from reasonrft.worlds.structure.topologies.triangles import step_of

RADIUS = 5.0


def chord_lengths(draw: Draw) -> Puzzle | None:
    """Crossing chords: the products of their parts are equal."""
    most = 8 if draw.small else 18
    a, b, c = draw.number(2, most), draw.number(2, most), draw.number(2, most)
    d = Fraction(a * b, c)
    if d < 2 or d > 2 * most or d.denominator > 2 or c in (a, b):
        return None
    turn = draw.number(55, 125)
    spots = [ORIGIN, (float(a), 0.0), (float(-b), 0.0)]
    spots += [polar(ORIGIN, float(c), turn), polar(ORIGIN, float(-d), turn)]
    e, *ends = draw.letters(5)
    sketch = Sketch((e, *ends), draw.turned(spots))
    center, radius = circle_through(*sketch.at(ends[:3]))
    if radius > 1.2 * max(a + b, float(c + d)):
        return None
    name = unknown(draw)
    sketch.figure.circle(center, radius)
    sketch.lines(ends[:2], ends[2:])
    sketch.name(ends)
    for end, size in zip(ends, (a, b, c, name), strict=True):
        sketch.draw_length((e, end), size)
    draw.chain.say(
        "The products of the parts of crossing chords are equal",
        "For two chords that cross, part times part is the same",
    )
    draw.chain.work(times(a, b))
    draw.chain.work(f"{c} × {name} = {a * b}")
    draw.chain.work(f"{name} = {over(a * b, c)}")
    return sketch.puzzle(
        draw,
        find(draw, name),
        d,
        (a, b, c),
        unknown=name,
        mistakes=(a + b - c, Fraction(a * c, b), Fraction(b * c, a), 2 * d, a),
    )


def on_circle(names: list[str], degrees: list[int]) -> Sketch:
    """Points on a circle about O."""
    spots = [polar(ORIGIN, RADIUS, spot) for spot in degrees]
    sketch = Sketch(("O", *names), [ORIGIN, *spots])
    sketch.figure.circle(ORIGIN, RADIUS)
    return sketch


def chord_angle(draw: Draw) -> Puzzle | None:
    """Crossing chords: the angle is half the sum of the arcs it cuts out."""
    from_arcs = draw.target((True, False), "goal")
    step = step_of(draw)
    asked = draw.target(range(40, 131, step), str(from_arcs))
    half = asked if from_arcs else draw.number(40 // step, 130 // step) * step
    first = draw.number(30 // step, 150 // step) * step if from_arcs else asked
    second = 2 * half - first
    rest = 360 - first - second
    if not 30 <= second <= 150 or rest < 80:
        return None
    start, gap = draw.number(0, 359), draw.number(36, rest - 36)
    a, b, c, d, e = draw.letters(5)
    turns = (0, first, first + gap, first + gap + second)
    sketch = on_circle([a, b, c, d], [start + turn for turn in turns])
    sketch.points[e] = crossing(*sketch.at((a, c, b, d)))
    name = unknown(draw)
    sketch.lines((a, c), (b, d))
    sketch.draw_angle((a, e, b), name if from_arcs else half)
    middles = (start + first / 2, start + first + gap + second / 2)
    sketch.draw_arc((a, b), first if from_arcs else name, polar(ORIGIN, RADIUS, middles[0]))
    sketch.draw_arc((c, d), second, polar(ORIGIN, RADIUS, middles[1]))
    sketch.name((a, b, c, d))
    _explain_half_sum(draw, name, first, second, from_arcs)
    return sketch.puzzle(
        draw,
        find(draw, name),
        asked,
        (from_arcs, first, second),
        unknown=name,
        mistakes=(first + second, abs(first - second), 180 - asked, abs(half - second), second),
    )


def _explain_half_sum(draw: Draw, name: str, first: int, second: int, from_arcs: bool) -> None:
    """From both arcs to the angle, or from the angle and the second arc to the first one."""
    draw.chain.say(
        "The angle between two chords is half the sum of the two arcs",
        "Half the sum of the arcs gives the angle of the chords",
    )
    both = first + second
    if from_arcs:
        draw.chain.work(plus(first, second))
        draw.chain.work(f"{name} = {over(both, 2)}")
    else:
        draw.chain.work(times(2, both // 2))
        draw.chain.work(f"{name} = {minus(both, second)}")


def secant_angle(draw: Draw) -> Puzzle | None:
    """Tangent and secant: the angle outside is half the difference of the arcs."""
    step = step_of(draw)
    asked = draw.target(range(20, 61, step))
    near = draw.number(40 // step, 110 // step) * step
    far = near + 2 * asked
    if far > 200 or 360 - near - far < 50:
        return None
    start = draw.number(0, 359)
    t, a, b, p = draw.letters(4)
    sketch = on_circle([t, a, b], [start, start + near, start - far])
    ahead = polar(sketch.points[t], 1.0, start + 90)
    sketch.points[p] = crossing(sketch.points[t], ahead, *sketch.at((a, b)))
    if length(sketch.points[p], ORIGIN) > 4 * RADIUS:
        return None
    name = unknown(draw)
    sketch.lines((t, p, b))
    sketch.draw_angle((t, p, b), name)
    sketch.draw_arc((t, a), near, polar(ORIGIN, RADIUS, start + near / 2))
    sketch.draw_arc((b, t), far, polar(ORIGIN, RADIUS, start - far / 2))
    sketch.name((t, a, b, p))
    draw.chain.say(
        "The angle outside the circle is half the difference of the arcs",
        "Far arc minus near arc, halved, gives the angle",
    )
    draw.chain.work(minus(far, near))
    draw.chain.work(f"{name} = {over(far - near, 2)}")
    return sketch.puzzle(
        draw,
        find(draw, name),
        asked,
        (near, far),
        unknown=name,
        mistakes=(far - near, (far + near) // 2, near // 2, far // 2, 180 - asked),
    )
