"""Counting figures: how many triangles, squares or rectangles there are in a drawing."""

from collections.abc import Sequence

from reasonrft.worlds.structure.chain import Chain, minus, plus, times
from reasonrft.worlds.structure.figure import Figure
from reasonrft.worlds.structure.plane import Point, mix
from reasonrft.worlds.structure.puzzle import Draw, Fact, Puzzle
from reasonrft.worlds.structure.values import whole

Lines = list[tuple[Point, Point]]
_HEIGHTS = {1: [1.0], 2: [1.0, 0.55], 3: [1.0, 0.68, 0.4]}


def count_triangles(draw: Draw) -> Puzzle:
    """Lines from an apex to a base, and lines parallel to the base."""
    parts = draw.target(range(2, 4 if draw.small else 6), "parts")
    levels = draw.target(range(1, 3 if draw.small else 4), "levels")
    tip: Point = (draw.number(20, 80) / 10, draw.number(60, 80) / 10)
    feet = [(draw.number(-5, 5) / 10 + 10.0 * k / parts, 0.0) for k in range(1, parts)]
    apex, *base = draw.turned([tip, (0.0, 0.0), *feet, (10.0, 0.0)])
    lines = [(apex, end) for end in base]
    lines += [(mix(apex, base[0], t), mix(apex, base[-1], t)) for t in _HEIGHTS[levels]]
    chain = draw.chain
    chain.say(
        f"{parts} small triangles stand side by side under the top corner",
        f"The lines from the top corner make {parts} parts",
        compact=f"parts = {parts}",
    )
    in_level = chain.add_up(_falling(chain, parts))
    total = levels * in_level
    if levels > 1:
        chain.say(f"{levels} lines can close a triangle", compact=f"levels = {levels}")
        chain.work(times(levels, in_level))
    return _count(
        draw,
        _filled((apex, base[0], base[-1]), lines),
        lines,
        "triangle",
        {"parts": parts, "levels": levels},
        total,
        (parts * levels, in_level, total - 1, total + levels, total + 1),
    )


def _falling(chain: Chain, parts: int) -> list[int]:
    """How many there are of one part, of two parts, and so on, each one fewer."""
    chain.say(f"Of 1 part: {parts}", f"Made of 1 part there are {parts}")
    counts = [parts]
    for size in range(2, parts + 1):
        chain.work(minus(counts[-1], 1), f"Of {size} parts:", f"Made of {size} parts there are")
        counts.append(counts[-1] - 1)
    return counts


def count_squares(draw: Draw) -> Puzzle:
    """Squares of every size in a grid with some cells coloured."""
    rows = draw.target(range(1, 4 if draw.small else 5), "rows")
    columns = draw.target(range(2, 5 if draw.small else 7), "columns")
    lines = _grid([float(x) for x in range(columns + 1)], [float(y) for y in range(rows + 1)])
    shaded = [(x, y) for x in range(columns) for y in range(rows) if draw.chance(0.3)]
    figure = Figure()
    figure.polygon(*_cell(0, 0, columns, rows), outline=False)
    for x, y in shaded:
        figure.polygon(*_cell(x, y), fill="fill1", outline=False)
    for line in lines:
        figure.line(*line)
    total = _explain_squares(draw.chain, rows, columns)
    return _count(
        draw,
        figure,
        lines,
        "square",
        {"rows": rows, "columns": columns},
        total,
        (rows * columns, total - 1, total + 1, total + rows, rows * columns + 1),
        shaded,
    )


def _explain_squares(chain: Chain, rows: int, columns: int) -> int:
    """Places for each size, one fewer along each side from size to size."""
    chain.say(
        f"The grid has {rows} row{'s' if rows > 1 else ''} and {columns} columns",
        compact=f"rows = {rows}. columns = {columns}",
    )
    counts = []
    for size in range(1, min(rows, columns) + 1):
        down, across = rows - size + 1, columns - size + 1
        if size > 1:
            chain.work(minus(down + 1, 1), f"Places downwards for size {size}:")
            chain.work(minus(across + 1, 1), "Places across:")
        chain.work(times(down, across), f"Squares of size {size}:")
        counts.append(down * across)
    return chain.add_up(counts)


def count_rectangles(draw: Draw) -> Puzzle:
    """Rectangles in a strip of uneven parts, in one row or two."""
    columns = draw.target(range(2, 5 if draw.small else 7), "columns")
    rows = draw.target((1, 2), "rows")
    widths = [draw.number(10, 22) / 10 for _ in range(columns)]
    xs = [round(sum(widths[:k]), 9) for k in range(columns + 1)]
    ys = [0.0, draw.number(13, 19) / 10, draw.number(26, 38) / 10][: rows + 1]
    lines = _grid(xs, ys)
    chain = draw.chain
    chain.say(
        f"One row has {columns} parts side by side",
        f"There are {columns} parts in a row",
        compact=f"columns = {columns}",
    )
    in_row = total = chain.add_up(_falling(chain, columns))
    if rows == 2:
        chain.say("There are 2 rows", compact="rows = 2")
        chain.work(plus(2, 1), "One row or both rows together, that makes")
        chain.work(times(3, in_row))
        total = 3 * in_row
    return _count(
        draw,
        _filled(_cell(0, 0, xs[-1], ys[-1]), lines),
        lines,
        "rectangle",
        {"columns": columns, "rows": rows},
        total,
        (rows * columns, rows * in_row, total + 1, total - 1, in_row + columns),
    )


def _cell(x: float, y: float, wide: float = 1, tall: float = 1) -> tuple[Point, ...]:
    return (x, y), (x + wide, y), (x + wide, y + tall), (x, y + tall)


def _grid(xs: list[float], ys: list[float]) -> Lines:
    upright = [((x, ys[0]), (x, ys[-1])) for x in xs]
    return upright + [((xs[0], y), (xs[-1], y)) for y in ys]


def _filled(outline: tuple[Point, ...], lines: Lines) -> Figure:
    figure = Figure()
    figure.polygon(*outline, outline=False)
    for line in lines:
        figure.line(*line)
    return figure


def _count(
    draw: Draw,
    figure: Figure,
    lines: Lines,
    shape: str,
    seen: dict[str, int],
    answer: int,
    mistakes: tuple[int, ...],
    shaded: Sequence[tuple[int, int]] = (),
) -> Puzzle:
    """The question, with all lines kept for counting again."""
    question = draw.choose(
        [
            f"How many {shape}s are there in the figure?",
            f"Count all the {shape}s in the figure, of every size. How many are there?",
            f"How many {shape}s of any size does the picture contain?",
        ]
    )
    segments = [[list(start), list(end)] for start, end in lines]
    return Puzzle(
        figure,
        question,
        whole(answer),
        draw.chain,
        (shape, segments, shaded),
        facts=tuple(Fact(name, str(number), name, (), True) for name, number in seen.items()),
        asked=(f"count {shape}s",),
        mistakes=tuple(map(whole, mistakes)),
        state={"segments": segments, "shaded": [list(cell) for cell in shaded]},
    )
