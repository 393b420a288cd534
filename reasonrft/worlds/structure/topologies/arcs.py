"""Arcs around a circle, inscribed angles over arcs, and measures of circles with π."""

from fractions import Fraction

from reasonrft.worlds.structure.chain import over, plus, times
from reasonrft.worlds.structure.equations import find, label_at, solve, unknown
from reasonrft.worlds.structure.plane import polar
from reasonrft.worlds.structure.puzzle import Draw, Puzzle
from reasonrft.worlds.structure.sketch import Sketch
from reasonrft.worlds.structure.topologies.chords import RADIUS, on_circle
from reasonrft.worlds.structure.topologies.tangents import ORIGIN
from reasonrft.worlds.structure.topologies.triangles import step_of
from reasonrft.worlds.structure.values import Linear, Value


def central_arcs(draw: Draw) -> Puzzle | None:
    """Central angles or arcs fill the circle; the unknown stands for one, or within two."""
    step = step_of(draw)
    name = unknown(draw)
    # Three labels with unknowns in them leave no room in a small circle.
    algebra = draw.target((True, False), "kind") and not draw.small
    sizes = [draw.number(50 // step, 150 // step) * step for _ in range(2)]
    sizes.append(360 - sum(sizes))
    if not 50 <= sizes[2] <= 175:
        return None
    answer = draw.target(range(10, 41)) if algebra else sizes[2]
    texts: list[Linear | int | str] = [sizes[0], sizes[1], name]
    if algebra:
        texts[1:] = [label_at(draw, name, answer, size) for size in sizes[1:]]
    start = draw.number(0, 359)
    names = draw.letters(3)
    sketch = on_circle(names, [start, start + sizes[0], start + sizes[0] + sizes[1]])
    _label_arcs(sketch, names, start, list(zip(sizes, texts, strict=True)), draw.chance(0.6))
    draw.chain.say(
        "The angles around the center add up to 360 degrees",
        "A full circle has 360 degrees",
        compact="sum 360",
    )
    _explain_arcs(draw, name, sizes, texts)
    return sketch.puzzle(
        draw,
        find(draw, name),
        answer,
        tuple(map(str, texts)),
        unknown=name,
        mistakes=(sizes[0], 180 - answer, 360 - answer, answer * 2, answer // 2, sizes[1]),
    )


def _label_arcs(
    sketch: Sketch,
    names: list[str],
    start: int,
    parts: list[tuple[int, Linear | int | str]],
    inside: bool,
) -> None:
    """Label the angles inside or the arcs outside, one after the other."""
    for number, (size, text) in enumerate(parts):
        ends = names[number], names[(number + 1) % 3]
        if inside:
            sketch.draw_angle((ends[0], "O", ends[1]), text)
        else:
            sketch.draw_arc(ends, text, polar(ORIGIN, RADIUS, start + size / 2))
        start += size
    sketch.lines(*(("O", end) for end in names))
    sketch.name(names)


def _explain_arcs(draw: Draw, name: str, sizes: list[int], texts: list[Linear | int | str]) -> None:
    chain = draw.chain
    first, second = texts[1:]
    if isinstance(first, Linear) and isinstance(second, Linear):
        chain.work(f"{first.spaced()} + {second.spaced()} + {sizes[0]} = 360")
        shift = first.shift + second.shift + sizes[0]
        solve(chain, Linear(first.factor + second.factor, shift, name), 360)
        return
    known = sizes[0] + sizes[1]
    chain.work(plus(sizes[0], sizes[1]))
    chain.work(f"{name} = 360 - {known} = {sizes[2]}")


def inscribed_arc(draw: Draw) -> Puzzle | None:
    """An inscribed angle is half its arc; with numbers or with unknowns in both labels."""
    name = unknown(draw)
    kind = draw.target(("algebra", "to angle", "algebra", "to arc"), "kind")
    half = draw.target(range(20, 86, step_of(draw)), "half")
    answer = half if kind == "to angle" else 2 * half
    angle: Linear | str | int = name if kind == "to angle" else half
    arc: Linear | str | int = name if kind == "to arc" else 2 * half
    if kind == "algebra":
        answer = draw.target(range(5, 31))
        angle, arc = (label_at(draw, name, answer, size) for size in (half, 2 * half))
        if 2 * angle.factor == arc.factor:
            return None
    a, b, c = draw.letters(3)
    start = draw.number(0, 359)
    third = start + 2 * half + round((360 - 2 * half) * draw.choose([0.35, 0.5, 0.6]))
    sketch = on_circle([a, b, c], [start, start + 2 * half, third])
    sketch.lines((a, c, b))
    sketch.draw_angle((a, c, b), angle)
    sketch.draw_arc((a, b), arc, polar(ORIGIN, RADIUS, start + half))
    sketch.name((a, b, c))
    draw.chain.say(
        "An arc is twice the inscribed angle over it", "The inscribed angle is half of its arc"
    )
    if isinstance(angle, Linear) and isinstance(arc, Linear):
        draw.chain.work(f"2 × ({angle.spaced()}) = {arc.spaced()}")
        solve(draw.chain, Linear(2 * angle.factor, 2 * angle.shift, name), arc)
    else:
        draw.chain.work(f"{name} = {over(arc, 2) if isinstance(arc, int) else times(2, half)}")
    return sketch.puzzle(
        draw,
        find(draw, name),
        answer,
        (str(angle), str(arc)),
        unknown=name,
        mistakes=(half, 2 * half, 180 - answer, answer * 2, answer // 2, 4 * half),
    )


def circle_measure(draw: Draw) -> Puzzle:
    """Circumference or area of a circle, from its radius or diameter."""
    goal = draw.target(("circumference", "area"), "goal")
    radius = draw.target(range(2, 12 if draw.small else 25), goal)
    across = draw.chance(0.5)
    start = draw.number(0, 359)
    a, b = draw.letters(2)
    places = [ORIGIN, polar(ORIGIN, radius, start), polar(ORIGIN, radius, start + 180)]
    sketch = Sketch(("O", a, b), places)
    sketch.figure.circle(ORIGIN, radius)
    sketch.figure.mark("dot", ORIGIN)
    ends = (a, b) if across else ("O", a)
    sketch.lines(ends)
    sketch.name((a, "O", b) if across else (a, "O"))
    sketch.draw_length(ends, 2 * radius if across else radius)
    if across:
        draw.chain.work(over(2 * radius, 2), "The radius is half the diameter,", "Radius:")
    answer = _explain_area(draw, radius) if goal == "area" else _explain_length(draw, radius)
    square, ring = radius * radius, 2 * radius
    return sketch.puzzle(
        draw,
        _ask_for(draw, f"{goal} of the circle"),
        answer,
        (goal, radius, across, start),
        (goal, "O", a),
        mistakes=[
            Value(Fraction(k), pi=True) for k in (square, ring, radius, 2 * square, 2 * ring)
        ],
    )


def sector(draw: Draw) -> Puzzle:
    """Area of a sector from its radius and central angle."""
    radius = draw.target(range(2, 10 if draw.small else 20))
    degrees = draw.choose((30, 36, 40, 45, 60, 72, 90, 120))
    start = draw.number(0, 359)
    a, b = draw.letters(2)
    places = [polar(ORIGIN, radius, start), polar(ORIGIN, radius, start + degrees)]
    sketch = Sketch(("O", a, b), [ORIGIN, *places])
    sketch.figure.circle(ORIGIN, radius)
    sketch.lines((a, "O", b))
    sketch.name(("O", a, b))
    sketch.draw_length(("O", a), radius)
    sketch.draw_angle((a, "O", b), degrees)
    full, parts = _explain_area(draw, radius), 360 // degrees
    answer = full.times(Fraction(1, parts))
    draw.chain.work(over(360, degrees), "Such sectors in the circle:", "The circle has")
    draw.chain.work(f"{full} / {parts} = {answer}", "One of them has", "One sector:")
    mistakes = (full, full.times(Fraction(2, parts)), answer.times(Fraction(1, 2)))
    return sketch.puzzle(
        draw,
        _ask_for(draw, f"area of the sector {a}O{b}"),
        answer,
        (radius, degrees, start),
        ("sector area", "O", a, b),
        mistakes=(*mistakes, Value(Fraction(2 * radius, parts), pi=True)),
    )


def _ask_for(draw: Draw, goal: str) -> str:
    return draw.choose((f"Find the {goal}.", f"Find the {goal} in terms of \\pi."))


def _explain_length(draw: Draw, radius: int) -> Value:
    answer = Value(Fraction(2 * radius), pi=True)
    draw.chain.work(f"2 × π × {radius} = {answer}", "The circumference is", "Circumference:")
    return answer


def _explain_area(draw: Draw, radius: int) -> Value:
    square = radius * radius
    draw.chain.work(times(radius, radius), "The radius squared is", "Radius times radius:")
    area = Value(Fraction(square), pi=True)
    draw.chain.work(f"π × {square} = {area}", "The area of the circle is", "Circle:")
    return area
