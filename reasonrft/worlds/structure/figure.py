"""A figure before it has a size: shapes in its own coordinates, y up, with marks and labels.

Marks (right angles, ticks, arrow heads) and labels have sizes in pixels, so that they are only
named here; `layout` gives them their places.
"""

from dataclasses import dataclass, field
from typing import Literal

from reasonrft.worlds.structure.plane import Point


@dataclass(frozen=True, slots=True)
class Path:
    """A polyline, or with a fill a polygon."""

    points: tuple[Point, ...]
    role: str = "line"
    weight: float = 1.0
    dashed: bool = False
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Circle:
    """An outline, or with a fill a disc."""

    center: Point
    radius: float
    role: str = "line"
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A sign at an angle (right, arc) or on a segment (tick, arrow), or a dot."""

    kind: Literal["right", "arc", "tick", "arrow", "dot"]
    points: tuple[Point, ...]
    count: int = 1


@dataclass(frozen=True, slots=True)
class Label:
    """A text and what it belongs to: a point, a segment, an angle, an arc, or a fixed place."""

    text: str
    kind: Literal["point", "segment", "angle", "arc", "fixed"]
    points: tuple[Point, ...]
    """point: itself; segment: its ends; angle: side, vertex, side; arc: centre, middle."""
    role: str = "text"
    scale: float = 1.0


@dataclass(slots=True)
class Figure:
    """Shapes in order of drawing; built up by one topology."""

    stretch: bool = False
    """Fill the image both ways, as tables do, instead of keeping shapes true."""
    room: tuple[Point, ...] = ()
    """Points that the image must hold besides the shapes."""
    shapes: list[Path | Circle] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)

    def line(
        self, *points: Point, role: str = "line", weight: float = 1, dashed: bool = False
    ) -> None:
        self.shapes.append(Path(points, role, weight, dashed))

    def polygon(self, *points: Point, fill: str = "fill0", outline: bool = True) -> None:
        self.shapes.append(Path(points, fill, filled=True))
        if outline:
            self.line(*points, points[0])

    def circle(self, center: Point, radius: float, fill: str = "") -> None:
        if fill:
            self.disc(center, radius, fill)
        self.shapes.append(Circle(center, radius))

    def disc(self, center: Point, radius: float, role: str = "text") -> None:
        self.shapes.append(Circle(center, radius, role, filled=True))

    def mark(
        self, kind: Literal["right", "arc", "tick", "arrow", "dot"], *points: Point, count: int = 1
    ) -> None:
        self.marks.append(Mark(kind, points, count))

    def name(self, text: str, point: Point) -> None:
        """Name a point; the label goes where there is room around it."""
        self.labels.append(Label(text, "point", (point,)))

    def names(self, points: dict[str, Point]) -> None:
        for text, point in points.items():
            self.name(text, point)

    def length(self, text: str, start: Point, end: Point) -> None:
        """Write beside a segment."""
        self.labels.append(Label(text, "segment", (start, end)))

    def angle(self, text: str, side: Point, vertex: Point, other: Point) -> None:
        """Write into an angle."""
        self.labels.append(Label(text, "angle", (side, vertex, other)))

    def arc(self, text: str, center: Point, middle: Point) -> None:
        """Write beside the middle of an arc."""
        self.labels.append(Label(text, "arc", (center, middle)))

    def write(self, text: str, point: Point, role: str = "text", scale: float = 1) -> None:
        """Write centred on a point."""
        self.labels.append(Label(text, "fixed", (point,), role, scale))

    def extent(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top of all shapes."""
        points = list(self.room)
        for shape in self.shapes:
            if isinstance(shape, Path):
                points += shape.points
            else:
                (x, y), radius = shape.center, shape.radius
                points += [(x - radius, y - radius), (x + radius, y + radius)]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        return min(xs), min(ys), max(xs), max(ys)
