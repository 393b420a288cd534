"""Tangents and secants from a point outside a circle: lengths."""

import math
from fractions import Fraction

from reasonrft.worlds.structure.chain import minus, over, plus, times
from reasonrft.worlds.structure.equations import (
    find,
    label_at,
    longest_side,
    other_leg,
    solve,
    take_root,
    unknown,
)
from reasonrft.worlds.structure.plane import Point, polar, settle
from reasonrft.worlds.structure.puzzle import Draw, Puzzle
from reasonrft.worlds.structure.sketch import Sketch
from reasonrft.worlds.structure.topologies.circle_plane import circle_through
from reasonrft.worlds.structure.values import Value, root

ORIGIN: Point = (0.0, 0.0)


def tangent_lengths(draw: Draw) -> Puzzle | None:
    """Two tangents from one point are equally long."""
    name = unknown(draw)
    answer = draw.target(range(2, 10 if draw.small else 20))
    size = draw.number(6, 20 if draw.small else 40)
    first, second = label_at(draw, name, answer, size), label_at(draw, name, answer, size)
    if first.factor == second.factor:
        return None
    radius = size * draw.choose([0.45, 0.6, 0.8])
    away = math.sqrt(size * size + radius * radius)
    x, y = settle((radius * radius / away, radius * size / away))
    p, a, b = draw.letters(3)
    sketch = Sketch(("O", p, a, b), draw.turned([ORIGIN, (away, 0.0), (x, y), (x, -y)]))
    sketch.figure.circle(sketch.points["O"], radius)
    sketch.figure.mark("dot", sketch.points["O"])
    sketch.lines((a, p, b))
    sketch.name((p, a, b))
    sketch.draw_lengths({(p, a): first, (p, b): second})
    draw.chain.say(
        "Two tangents from one point are equal",
        f"{p}{a} and {p}{b} are tangents from the same point, so they are equal",
        compact="tangents equal",
    )
    solve(draw.chain, first, second)
    return sketch.puzzle(
        draw,
        find(draw, name),
        answer,
        (first, second),
        unknown=name,
        mistakes=(size, answer + 1, 2 * answer, abs(first.shift), answer // 2),
    )


def tangent_secant(draw: Draw) -> Puzzle | None:
    """The square of a tangent is the product of the secant and its outer part."""
    to_tangent = draw.target((True, False), "goal")
    most = 8 if draw.small else 16
    outer, inner = draw.number(2, most), draw.number(2, most)
    tangent = root(outer * (outer + inner))
    if not to_tangent and tangent.radicand > 1:
        return None
    spots = [ORIGIN, (float(outer), 0.0), (float(outer + inner), 0.0)]
    spots.append(polar(ORIGIN, float(tangent), draw.number(28, 55)))
    p, a, b, t = draw.letters(4)
    sketch = Sketch((p, a, b, t), draw.turned(spots))
    center, radius = circle_through(*sketch.at((a, b, t)))
    if radius > 1.6 * (outer + inner):
        return None
    name = unknown(draw)
    sketch.figure.circle(center, radius)
    sketch.lines((t, p, b))
    sketch.name((p, a, b, t))
    sketch.draw_length((p, a), outer)
    sketch.draw_length((a, b), inner if to_tangent else name)
    sketch.draw_length((p, t), name if to_tangent else tangent)
    draw.chain.say(
        "The tangent times itself equals the outer part of the secant times the whole secant",
        "By the tangent and secant rule, tangent squared is outer part times whole secant",
    )
    answer = _explain_power(draw, name, outer, inner, to_tangent)
    mistakes = (
        (root(outer * inner), outer + inner, inner + 2 * outer)
        if to_tangent
        else (outer + inner, tangent.plus(-outer), tangent)
    )
    scene = (to_tangent, outer, inner)
    return sketch.puzzle(draw, find(draw, name), answer, scene, unknown=name, mistakes=mistakes)


def _explain_power(draw: Draw, name: str, outer: int, inner: int, to_tangent: bool) -> Value | int:
    chain = draw.chain
    secant, product = outer + inner, outer * (outer + inner)
    if to_tangent:
        chain.work(plus(outer, inner))
        chain.work(f"{name} × {name} = {times(outer, secant)}")
        return take_root(chain, name, product)
    side = math.isqrt(product)
    chain.work(times(side, side))
    _explain_secant(draw, name, product, outer)
    return inner


def _explain_secant(draw: Draw, name: str, product: int, outer: int) -> Fraction:
    """The inner part of a secant from its outer part and the product."""
    secant = Fraction(product, outer)
    draw.chain.work(f"{outer} × ({outer} + {name}) = {product}")
    draw.chain.work(f"{outer} + {name} = {over(product, outer)}")
    draw.chain.work(f"{name} = {minus(secant, outer)}")
    return secant - outer


def two_secants(draw: Draw) -> Puzzle | None:
    """Outer part times whole is the same for two secants from one point."""
    most = 9 if draw.small else 16
    a, b, c = draw.number(2, most), draw.number(2, most), draw.number(2, most)
    inner = Fraction(a * (a + b), c) - c
    if inner < 1 or inner > 3 * most or inner.denominator > 2 or inner == b:
        return None
    turn = draw.number(25, 60)
    spots = [ORIGIN, (float(a), 0.0), (float(a + b), 0.0)]
    spots += [polar(ORIGIN, float(c), turn), polar(ORIGIN, float(c + inner), turn)]
    p, near, far, close, end = draw.letters(5)
    sketch = Sketch((p, near, far, close, end), draw.turned(spots))
    center, radius = circle_through(*sketch.at((near, far, close)))
    if radius > 1.3 * max(a + b, float(c + inner)):
        return None
    name = unknown(draw)
    sketch.figure.circle(center, radius)
    sketch.lines((far, p, end))
    sketch.name((p, near, far, close, end))
    sketch.draw_lengths({(p, near): a, (near, far): b, (p, close): c, (close, end): name})
    draw.chain.say(
        "For both secants, the outer part times the whole secant is the same",
        "Secants from one point: outer part times whole secant is equal for both",
    )
    draw.chain.work(plus(a, b))
    draw.chain.work(times(a, a + b))
    answer = _explain_secant(draw, name, a * (a + b), c)
    return sketch.puzzle(
        draw,
        find(draw, name),
        answer,
        (a, b, c),
        unknown=name,
        mistakes=(Fraction(a * b, c), answer + c, answer * 2, b, a + b - c),
    )


def tangent_radius(draw: Draw) -> Puzzle | None:
    """A tangent is square to the radius: the legs of a right triangle."""
    goal = draw.target(("far", "tangent", "radius"), "goal")
    most = 8 if draw.small else 20
    radius, tangent = draw.number(2, most), draw.number(2, most)
    far = root(radius * radius + tangent * tangent)
    if not 0.4 < tangent / radius < 2.5 or (goal != "far" and far.radicand > 1):
        return None
    spots = [ORIGIN, (float(radius), 0.0), (float(radius), float(tangent))]
    name = unknown(draw)
    a, p = draw.letters(2)
    sketch = Sketch(("O", a, p), draw.turned(spots))
    sketch.figure.circle(sketch.points["O"], radius)
    sketch.lines(("O", a, p, "O"))
    sketch.figure.mark("right", *sketch.at(("O", a, p)))
    sketch.name(("O", a, p))
    sizes: dict[str, object] = {"radius": radius, "tangent": tangent, "far": far, goal: name}
    sides = {"radius": ("O", a), "tangent": (a, p), "far": ("O", p)}
    sketch.draw_lengths({sides[side]: size for side, size in sizes.items()})
    draw.chain.say(
        "The tangent is perpendicular to the radius, so the triangle has a right angle",
        "Radius and tangent meet at a right angle",
        compact="right angle",
    )
    known = tangent if goal == "radius" else radius
    answer = (
        longest_side(draw.chain, name, radius, tangent)
        if goal == "far"
        else other_leg(draw.chain, name, int(far.coefficient), known)
    )
    return sketch.puzzle(
        draw,
        find(draw, name),
        answer,
        (goal, radius, tangent),
        unknown=name,
        mistakes=(radius + tangent, 2 * radius, far, abs(radius - tangent), tangent),
    )
