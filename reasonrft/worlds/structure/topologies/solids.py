"""Prisms in oblique view: volume and surface."""

from reasonrft.worlds.structure.chain import over, plus, times
from reasonrft.worlds.structure.figure import Figure
from reasonrft.worlds.structure.plane import Point, settle
from reasonrft.worlds.structure.puzzle import Draw, Fact, Puzzle
from reasonrft.worlds.structure.question_phrases import ask
from reasonrft.worlds.structure.values import whole

Point3 = tuple[float, float, float]
Edges = dict[tuple[int, int], int]
_DEEP = (0.46, 0.34)
"""Where one unit of depth goes in the drawing."""


def flat(point: Point3) -> Point:
    """Oblique projection: x to the right, z up, depth y up and to the right."""
    x, y, z = point
    return settle((x + _DEEP[0] * y, z + _DEEP[1] * y))


def _drawn(
    corners: list[Point3], faces: list[tuple[int, ...]], hidden: list[tuple[int, int]]
) -> tuple[Figure, list[Point]]:
    """The visible faces in three colours, and the hidden edges dashed."""
    figure, seen = Figure(), [flat(corner) for corner in corners]
    for number, face in enumerate(faces):
        figure.polygon(*(seen[corner] for corner in face), fill=f"fill{number}")
    for start, end in hidden:
        figure.line(seen[start], seen[end], dashed=True, weight=0.7)
    return figure, seen


def _facts(names: str, letters: list[str], edges: Edges) -> tuple[Fact, ...]:
    return tuple(
        Fact(name, str(size), "length", (letters[start], letters[end]))
        for name, ((start, end), size) in zip(names.split(), edges.items(), strict=True)
    )


def box(draw: Draw) -> Puzzle:
    """Volume or surface of a box with three given edges."""
    volume = draw.target((True, False), "goal")
    most = 6 if draw.small else 12
    length = draw.target(range(2, most + 1))
    width, height = draw.number(2, most), draw.number(2, most)
    corners = [
        (float(x), float(y), float(z)) for z in (0, height) for y in (0, width) for x in (0, length)
    ]
    faces: list[tuple[int, ...]] = [(4, 5, 7, 6), (1, 3, 7, 5), (0, 1, 5, 4)]
    figure, seen = _drawn(corners, faces, [(0, 2), (2, 3), (2, 6)])
    edges = {(0, 1): length, (1, 3): width, (0, 4): height}
    if draw.chance(0.6):
        for (start, end), size in edges.items():
            figure.length(str(size), seen[start], seen[end])
    letters = draw.letters(8)
    explain = _explain_volume if volume else _explain_surface
    answer = explain(draw, length, width, height)
    return Puzzle(
        figure,
        _ask_about_box(draw, (length, width, height), volume),
        whole(answer),
        draw.chain,
        (volume, length, width, height),
        dict(zip(letters, corners, strict=True)),
        _facts("length width height", letters, edges),
        ("box volume" if volume else "box surface", *(letters[i] for i in (0, 1, 2, 4))),
        mistakes=tuple(map(whole, _mistakes(length, width, height, volume))),
    )


def _mistakes(length: int, width: int, height: int, volume: bool) -> tuple[int, ...]:
    sides = length * width + length * height + width * height
    full, around = length * width * height, length + width + height
    if volume:
        return 2 * sides, sides, full // 2, around, 2 * full
    return sides, full, 4 * around, 2 * sides - length * width


def _ask_about_box(draw: Draw, sizes: tuple[int, int, int], volume: bool) -> str:
    length, width, height = sizes
    unit = draw.choose(["cm", "m", "units"])
    facts = draw.choose(
        [
            f"the box is {length} {unit} long, {width} {unit} wide and {height} {unit} high",
            f"a rectangular prism has length {length} {unit}, width {width} {unit} "
            f"and height {height} {unit}",
        ]
    )
    goal = "volume" if volume else "total surface area"
    return ask(draw, facts, f"the {goal} of it in {'cubic' if volume else 'square'} {unit}")


def _explain_volume(draw: Draw, length: int, width: int, height: int) -> int:
    base = length * width
    draw.chain.given({"length": length, "width": width, "height": height})
    draw.chain.work(times(length, width), "The base has", "Base:")
    draw.chain.work(times(base, height), "Times the height:", "With the height that is")
    return base * height


def _explain_surface(draw: Draw, length: int, width: int, height: int) -> int:
    chain = draw.chain
    chain.given({"length": length, "width": width, "height": height})
    base, front, side = length * width, length * height, width * height
    chain.work(times(length, width), "Top:", "The top has")
    chain.work(times(length, height), "Front:", "The front has")
    chain.work(times(width, height), "Side:", "The side has")
    chain.work(plus(base, front))
    chain.work(plus(base + front, side))
    chain.work(times(2, base + front + side), "Each face comes twice:", "Both times:")
    return 2 * (base + front + side)


def wedge(draw: Draw) -> Puzzle:
    """Volume of a prism on a right triangle."""
    most = 6 if draw.small else 12
    depth = draw.target(range(2, most + 1))
    across, up = draw.number(1, most // 2) * 2, draw.number(2, most)
    ends = ((0, 0), (across, 0), (0, up))
    corners = [(float(x), float(y), float(z)) for y in (0, depth) for x, z in ends]
    figure, seen = _drawn(corners, [(1, 4, 5, 2), (0, 1, 2)], [(0, 3), (3, 4), (3, 5)])
    figure.mark("right", seen[1], seen[0], seen[2])
    edges = {(0, 1): across, (0, 2): up, (1, 4): depth}
    for (start, end), size in edges.items():
        figure.length(str(size), seen[start], seen[end])
    letters = draw.letters(6)
    facts = (
        f"a prism of length {depth} has a right triangle with base {across} "
        f"and height {up} as its end"
    )
    answer = _explain_wedge(draw, across, up, depth)
    mistakes = (2 * answer, across * up // 2, across * up + depth, across + up + depth)
    return Puzzle(
        figure,
        ask(draw, facts, "the volume of the prism"),
        whole(answer),
        draw.chain,
        (across, up, depth),
        dict(zip(letters, corners, strict=True)),
        _facts("base height length", letters, edges),
        ("wedge volume", *letters[:4]),
        mistakes=tuple(map(whole, mistakes)),
    )


def _explain_wedge(draw: Draw, across: int, up: int, depth: int) -> int:
    area = across * up // 2
    draw.chain.given({"base": across, "height": up, "length": depth})
    draw.chain.work(times(across, up), "Base times height:", "The triangle is half of")
    draw.chain.work(over(across * up, 2), "The triangle has", "Half of that is")
    draw.chain.work(times(area, depth), "Times the length:", "Along the length:")
    return area * depth
