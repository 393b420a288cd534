"""A figure that grows together with the facts it stands for."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from reasonrft.worlds.structure.figure import Figure
from reasonrft.worlds.structure.plane import Point
from reasonrft.worlds.structure.puzzle import Draw, Fact, Puzzle
from reasonrft.worlds.structure.values import Value, whole

Answer = Value | Fraction | int | str


class Sketch:
    """Named points, a figure on them, and facts that are told or drawn."""

    def __init__(self, names: Sequence[str], places: Sequence[Point]) -> None:
        self.points: dict[str, Point] = dict(zip(names, places, strict=True))
        self.figure = Figure()
        self.facts: list[Fact] = []

    def at(self, names: Sequence[str]) -> list[Point]:
        return [self.points[name] for name in names]

    def lines(self, *paths: Sequence[str]) -> None:
        """Polylines through named points."""
        for path in paths:
            self.figure.line(*self.at(path))

    def name(self, names: Sequence[str]) -> None:
        for name in names:
            self.figure.name(name, self.points[name])

    def tell(self, name: str, value: object, measure: str, of: Sequence[str]) -> None:
        """A fact that stands in the text."""
        self.facts.append(Fact(name, str(value), measure, tuple(of)))

    def draw_length(self, ends: Sequence[str], value: object) -> None:
        """A label beside a segment."""
        self.figure.length(str(value), *self.at(ends))
        self.facts.append(Fact("".join(ends), str(value), "length", tuple(ends), shown=True))

    def draw_lengths(self, sides: Mapping[tuple[str, str], object]) -> None:
        for ends, value in sides.items():
            self.draw_length(ends, value)

    def draw_angle(self, rays: Sequence[str], value: object) -> None:
        """A label in an angle."""
        text = degrees_of(value)
        self.figure.angle(text, *self.at(rays))
        self.facts.append(Fact("∠" + "".join(rays), text, "angle", tuple(rays), shown=True))

    def draw_arc(
        self, ends: Sequence[str], value: object, middle: Point, center: str = "O"
    ) -> None:
        """A label beside an arc that runs counter-clockwise."""
        text = degrees_of(value)
        self.figure.arc(text, self.points[center], middle)
        name, of = "arc " + "".join(ends), (center, *ends)
        self.facts.append(Fact(name, text, "arc", of, shown=True))

    def puzzle(
        self,
        draw: Draw,
        question: str,
        answer: Answer,
        scene: tuple[Any, ...],
        asked: Sequence[str] = (),
        unknown: str = "",
        mistakes: Sequence[Answer] = (),
        unit: str = "",
    ) -> Puzzle:
        """The puzzle of this figure and these facts."""
        return Puzzle(
            self.figure,
            question,
            exact(answer),
            draw.chain,
            scene,
            points=self.points,
            facts=tuple(self.facts),
            asked=tuple(asked),
            unknown=unknown,
            mistakes=tuple(map(exact, mistakes)),
            unit=unit,
        )


def exact(answer: Answer) -> Value | str:
    return whole(answer) if isinstance(answer, int | Fraction) else answer


def degrees_of(label: object) -> str:
    """A label in degrees: 40°, x°, (2x-14)°."""
    text = str(label)
    return f"({text})°" if any(sign in text for sign in "+-") else f"{text}°"
