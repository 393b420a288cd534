"""Questions about a few named numbers."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from reasonrft.worlds.structure.chain import minus
from reasonrft.worlds.structure.figure import Figure
from reasonrft.worlds.structure.puzzle import Draw, Fact, Points, Puzzle
from reasonrft.worlds.structure.values import whole


class Data(NamedTuple):
    """What a table or a chart shows."""

    things: str
    values: dict[str, int]


_OPENINGS = {
    True: ("Look at the bar chart.", "The bar chart shows what was counted.", "Read the chart."),
    False: ("Look at the table.", "The table shows what was counted.", "Read the table."),
}


def question(
    draw: Draw, data: Data, figure: Figure, points: Points, state: Mapping[str, Any]
) -> Puzzle | None:
    """One of five questions, with its chain; None where it would be idle."""
    kind = draw.target(tuple(_ASKED), "question")
    names = draw.rng.sample(list(data.values), 2)
    names.sort(key=lambda name: -data.values[name])
    limit = draw.choose(sorted(data.values.values()))
    text, answer = _ASKED[kind](draw, data, names, limit)
    if not answer:
        return None
    details = {"difference": names, "sum": names, "above": [str(limit)]}.get(kind, [])
    return Puzzle(
        figure,
        f"{draw.choose(_OPENINGS[bool(points)])} {text}",
        whole(answer),
        draw.chain,
        (kind, data, details),
        points,
        tuple(
            Fact(name, str(value), "height" if points else "cell", (name,), True)
            for name, value in data.values.items()
        ),
        (kind, *details),
        mistakes=tuple(map(whole, _mistakes(data, names, answer))),
        state=dict(state),
    )


def _mistakes(data: Data, names: list[str], answer: int) -> list[int]:
    first, second = (data.values[name] for name in names)
    everything = list(data.values.values())
    return [
        answer + 1,
        answer - 1,
        first + second,
        abs(first - second),
        sum(everything),
        *everything,
    ]


def _read(draw: Draw, data: Data, names: list[str]) -> list[int]:
    draw.chain.given({name: data.values[name] for name in names})
    return [data.values[name] for name in names]


def _difference(draw: Draw, data: Data, names: list[str], limit: int) -> tuple[str, int]:
    more, fewer = names
    high, low = _read(draw, data, names)
    draw.chain.work(minus(high, low))
    asked = draw.choose(
        [
            f"How many more {data.things} are there for {more} than for {fewer}?",
            f"What is the difference in {data.things} between {more} and {fewer}?",
        ]
    )
    return asked, high - low


def _sum(draw: Draw, data: Data, names: list[str], limit: int) -> tuple[str, int]:
    first, second = names
    total = draw.chain.add_up(_read(draw, data, names))
    return f"How many {data.things} are there for {first} and {second} together?", total


def _total(draw: Draw, data: Data, names: list[str], limit: int) -> tuple[str, int]:
    total = draw.chain.add_up(_read(draw, data, list(data.values)))
    return f"How many {data.things} are there in all?", total


def _range(draw: Draw, data: Data, names: list[str], limit: int) -> tuple[str, int]:
    values = _read(draw, data, list(data.values))
    high, low = max(values), min(values)
    draw.chain.say(
        f"The largest number is {high} and the smallest is {low}",
        compact=f"largest {high}. smallest {low}",
    )
    draw.chain.work(minus(high, low))
    asked = f"What is the difference between the largest and the smallest number of {data.things}?"
    return asked, high - low


def _above(draw: Draw, data: Data, names: list[str], limit: int) -> tuple[str, int]:
    """A running tally, one name at a time."""
    tally, parts = 0, []
    for name, value in data.values.items():
        tally += value >= limit
        parts.append(f"{name} = {value} {f'yes {tally}' if value >= limit else 'no'}")
    listed = "; ".join(parts)
    draw.chain.say(listed, f"Going through them: {listed}", compact=". ".join(parts))
    draw.chain.say(f"{tally} in all", f"That makes {tally}", compact=f"{tally} in all")
    return f"How many of them have {limit} or more {data.things}?", tally


_ASKED = {
    "difference": _difference,
    "sum": _sum,
    "range": _range,
    "total": _total,
    "above": _above,
}
