"""Charts of accuracies: by split, by level and view, and against the share of the chains."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from reasonrft.report.accuracy_tables import group_places
from reasonrft.report.charts import Chart, Mark, Series
from reasonrft.report.comparison import Comparison
from reasonrft.report.estimates import Estimate
from reasonrft.report.rows import Column, Place, Row
from reasonrft.tasks import title_of

NEARLY = 0.95
"""Share of full-data CoT-SFT's accuracy that the paper reaches with a fifth of the data."""
MOST_BARS = 12


def split_chart(compared: Comparison, task: str) -> Chart | None:
    columns = compared.columns_of(task)
    return _bars(
        compared,
        f"accuracy-{task}",
        f"{title_of(task)}: accuracy by split",
        [column.name for column in columns],
        lambda row, at: row.estimate(columns[at], compared.measure),
    )


def group_charts(compared: Comparison, task: str) -> Iterator[Chart]:
    """By level out of domain, and by view."""
    every = Column(task, "all", tuple(c.splits[0] for c in compared.columns_of(task) if c.single))
    out = _out_of_domain(compared, task)
    for kind, column in (("level", out or every), ("view", every)):
        rows = [row for row in compared.rows if row.of(column)]
        groups = group_places(rows, column, kind)
        where = "out of domain" if column is out else "all splits"
        title = f"{title_of(task)}: accuracy by {kind}, {where}"
        if 1 < len(groups) <= MOST_BARS:
            yield from _group_chart(compared, f"{kind}-{task}", title, column, groups)


def _out_of_domain(compared: Comparison, task: str) -> Column | None:
    """All that is out of domain, or the one split that is."""
    found = [column for column in compared.columns_of(task) if "OOD" in column.name]
    return found[-1] if found else None


def _group_chart(
    compared: Comparison, name: str, title: str, column: Column, groups: Mapping[str, set[Place]]
) -> Iterator[Chart]:
    chosen = list(groups.values())

    def found(row: Row, at: int) -> Estimate | None:
        return row.estimate(column, compared.measure, chosen=chosen[at])

    if chart := _bars(compared, name, title, list(groups), found):
        yield chart


def _bars(
    compared: Comparison,
    name: str,
    title: str,
    labels: Sequence[str],
    found: Callable[[Row, int], Estimate | None],
) -> Chart | None:
    series = []
    for row in compared.rows:
        marks = [
            _mark(at, estimate)
            for at in range(len(labels))
            if (estimate := found(row, at)) is not None
        ]
        if marks:
            series.append(Series(row.title, compared.number_of(row), marks))
    return Chart(name, title, "%", series, "bars", labels=labels) if series else None


def _mark(x: float, found: Estimate) -> Mark:
    return Mark(x, 100 * found.mean, 100 * found.low, 100 * found.high)


def share_charts(compared: Comparison, task: str) -> Iterator[Chart]:
    """Accuracy against the share of the chains, with 95 % of full-data CoT-SFT's."""
    columns = [column for column in compared.columns_of(task) if column.name == "ID"]
    for column in filter(None, [*columns, _out_of_domain(compared, task)]):
        series = []
        for name in dict.fromkeys(row.name for row in compared.partial):
            rows = [row for row in [*compared.partial, *compared.rows] if row.name == name]
            marks = _by_share(rows, column, compared.measure)
            if len(marks) > 1:
                series.append(Series(rows[0].title, compared.number_of(rows[-1]), marks))
        if series:
            yield Chart(
                f"efficiency-{task}-{column.name.lower().replace(' ', '-')}",
                f"{title_of(task)}, {column.name}: data efficiency",
                "%",
                series,
                "shares",
                across="share of the chains of thought",
                line=_line(compared, column),
            )


def _by_share(rows: Sequence[Row], column: Column, measure: str) -> list[Mark]:
    found = [(row.runs[0].share, row.estimate(column, measure)) for row in rows]
    marks = [_mark(share, estimate) for share, estimate in found if estimate is not None]
    return sorted(marks, key=lambda mark: mark.x)


def _line(compared: Comparison, column: Column) -> tuple[str, float] | None:
    for row in compared.rows:
        if row.name == "cot-sft" and (full := row.estimate(column, compared.measure)) is not None:
            return f"95 % of {row.title} on all", 100 * NEARLY * full.mean
    return None
