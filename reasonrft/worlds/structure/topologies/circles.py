"""Central and inscribed angles of one circle."""

from reasonrft.worlds.structure.chain import minus, over, times
from reasonrft.worlds.structure.plane import polar
from reasonrft.worlds.structure.puzzle import Draw, Puzzle
from reasonrft.worlds.structure.question_phrases import ask
from reasonrft.worlds.structure.sketch import Sketch
from reasonrft.worlds.structure.topologies.triangles import step_of


def circle_angle(draw: Draw) -> Puzzle:
    """From the central angle to the inscribed one, back, or on to the base of OAB."""
    goal = draw.target(("inscribed", "central", "base"), "goal")
    inscribed = draw.target(range(20, 76, step_of(draw)))
    a, b, c = draw.letters(3)
    sketch, start = inscribed_sketch(draw, (a, b, c), inscribed)
    sketch.figure.mark("dot", sketch.points["O"])
    sketch.lines((a, "O", b), (a, c, b), *([(a, b)] if goal == "base" else []))
    sketch.name(("O", a, b, c))
    of = {
        "inscribed": (f"∠{a}{c}{b}", inscribed, (a, c, b)),
        "central": (f"∠{a}O{b}", 2 * inscribed, (a, "O", b)),
        "base": (f"∠O{a}{b}", 90 - inscribed, ("O", a, b)),
    }
    known, value, rays = of["central" if goal == "inscribed" else "inscribed"]
    name, asked, sides = of[goal]
    sketch.tell(known, value, "angle", rays)
    _explain(draw, known, value, of["central"][0], name, goal)
    facts = f"{a}, {b} and {c} lie on the circle with center O, and {known}={value}°"
    return sketch.puzzle(
        draw,
        ask(draw, facts, f"the measure of {name}"),
        asked,
        (goal, inscribed, start),
        ("angle", *sides),
        mistakes=(value, 180 - asked, value * 2, 180 - value, asked * 2, 90 - value // 2),
        unit="°",
    )


def inscribed_sketch(
    draw: Draw, names: tuple[str, str, str], inscribed: int, radius: float = 5.0
) -> tuple[Sketch, int]:
    """A circle about O; over its arc AB, C sees this angle. Also where the arc starts."""
    start = draw.number(0, 359)
    end = start + 2 * inscribed
    third = end + (360 - 2 * inscribed) * draw.choose([0.35, 0.45, 0.5, 0.6])
    spots = [polar((0.0, 0.0), radius, degrees) for degrees in (start, end, third)]
    sketch = Sketch(("O", *names), [(0.0, 0.0), *spots])
    sketch.figure.circle((0.0, 0.0), radius, fill="fill0")
    return sketch, start


def _explain(draw: Draw, known: str, value: int, central: str, wanted: str, goal: str) -> None:
    chain = draw.chain
    chain.say(
        "A central angle is twice the inscribed angle over the same arc",
        "The inscribed angle is half of the central angle over the same arc",
    )
    chain.given({known: value})
    if goal == "inscribed":
        chain.work(over(value, 2), f"{wanted} =", f"Half of it: {wanted} =")
        return
    chain.work(times(2, value), f"{central} =", f"Twice that: {central} =")
    if goal == "base":
        rest = 180 - 2 * value
        chain.say("Two radii make an isosceles triangle, so its base angles are equal")
        chain.work(minus(180, 2 * value), "Together they have", "The two share")
        chain.work(over(rest, 2), f"{wanted} =", f"So {wanted} =")
