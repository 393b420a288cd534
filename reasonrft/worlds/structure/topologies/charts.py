"""Drawing tables and bar charts of a few numbers."""

from reasonrft.worlds.structure.figure import Figure
from reasonrft.worlds.structure.plane import Point
from reasonrft.worlds.structure.puzzle import Draw, Puzzle
from reasonrft.worlds.structure.topologies.data_questions import Data, question

_PEOPLE = "Ann Ben Eva Ian Jim Kay Leo Max Mia Ned Pam Ray Sam Tom Una Zoe".split()
_DAYS = "Mon Tue Wed Thu Fri Sat Sun".split()
_FRUITS = "Fig Kiwi Lime Pear Plum Apple Mango".split()
_CAPITALS = "ABCDEFGH"
_THINGS = "books stamps coins shells tickets points cards".split()


def table(draw: Draw) -> Puzzle | None:
    """A table of names and numbers."""
    rows = draw.number(3, 4 if draw.small else 6)
    data = _data(draw, draw.rng.sample(range(1, 20 if draw.small else 90), rows))
    heads = (draw.choose(("Name", "Label")), data.things.capitalize())
    lines = [heads, *((name, str(value)) for name, value in data.values.items())]
    figure = _ruled(lines)
    return question(draw, data, figure, {}, {"table": [list(line) for line in lines[1:]]})


def _ruled(lines: list[tuple[str, str]]) -> Figure:
    """Two columns of texts between lines, every other row coloured."""
    figure = Figure(stretch=True)
    height = len(lines)
    figure.polygon(*_rectangle(0, 0, 2, height), fill="fill1", outline=False)
    for row in range(0, height - 1, 2):
        figure.polygon(*_rectangle(0, row, 2, row + 1), fill="ground", outline=False)
    for y in range(height + 1):
        figure.line((0.0, float(y)), (2.0, float(y)), weight=0.7)
    for x in range(3):
        figure.line((float(x), 0.0), (float(x), float(height)), weight=0.7)
    for row, texts in enumerate(lines):
        for column, text in enumerate(texts):
            figure.write(text, (column + 0.5, height - row - 0.5))
    return figure


def bar_chart(draw: Draw) -> Puzzle | None:
    """Bars over an axis; they end at the lines of the axis."""
    count = draw.number(3, 4 if draw.small else 5)
    step = draw.choose((1,) if draw.small else (1, 2, 5, 10))
    ticks = draw.number(4, 5 if draw.small else 6)
    data = _data(draw, [step * draw.number(1, ticks) for _ in range(count)])
    figure = Figure(stretch=True)
    left, foot, right, top = -0.65, -0.19 * ticks * step, count + 0.2, float(ticks * step)
    figure.room = ((left, foot), (right, top * 1.04))
    for tick in range(0, ticks * step + 1, step):
        figure.line((0.0, float(tick)), (right, float(tick)), weight=0.4 if tick else 1)
        figure.write(str(tick), (left / 2, float(tick)))
    for place, (name, value) in enumerate(data.values.items()):
        bar = _rectangle(place + 0.35, 0, place + 0.95, value)
        figure.polygon(*bar, fill=f"fill{place}")
        figure.write(name, (place + 0.65, foot * 0.55))
    figure.line((0.0, 0.0), (0.0, top))
    points = {name: (i + 0.65, float(value)) for i, (name, value) in enumerate(data.values.items())}
    return question(draw, data, figure, points, {"ticks": [step, ticks]})


def _rectangle(left: float, bottom: float, right: float, top: float) -> tuple[Point, ...]:
    return (left, bottom), (right, bottom), (right, top), (left, top)


def _data(draw: Draw, values: list[int]) -> Data:
    pool = draw.choose((_PEOPLE, _PEOPLE, _DAYS, _FRUITS) if not draw.small else (_CAPITALS,))
    names = draw.rng.sample(pool, len(values))
    if pool is _DAYS:
        names.sort(key=_DAYS.index)
    return Data(draw.choose(_THINGS), dict(zip(names, values, strict=True)))
