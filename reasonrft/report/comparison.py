"""What a report compares: rows, columns, and the gaps between rows with their significance."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reasonrft.chart_style import COLOURS
from reasonrft.report.estimates import Gap
from reasonrft.report.found_runs import Run, Study
from reasonrft.report.paired_tests import holm
from reasonrft.report.rows import COMPUTE, Column, Row, columns_of, gap_between, rows_of
from reasonrft.tasks import title_of

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class ComparedGap:
    """One row's accuracy less another's, on a column."""

    ours: Row
    theirs: Row
    column: Column
    gap: Gap
    of_focus: bool
    """Whether ours is the row in focus."""
    corrected: float = 1.0
    """p after Holm's correction over the gaps of its family."""

    @property
    def family(self) -> tuple[str, bool]:
        """What is shown together: a task's gaps of the row in focus, or those to the baseline."""
        return self.column.task, self.of_focus


@dataclass(frozen=True)
class Sides:
    """The rows of a task whose gaps to all others are shown."""

    focus: Row
    """Reason-RFT, or the run given last."""
    baseline: Row | None
    """Zero-shot, or the run given first."""

    def pairs(self, rows: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
        """The focus less each other row, then each other row less the baseline."""
        yield from ((self.focus, row) for row in rows if row is not self.focus)
        if self.baseline is not None:
            named = (self.focus, self.baseline)
            yield from ((row, self.baseline) for row in rows if row not in named)


@dataclass(frozen=True)
class Comparison:
    """All that tables and charts are made of."""

    rows: Sequence[Row]
    partial: Sequence[Row]
    """Rows that learned from a share of the chains, one for each share."""
    columns: Sequence[Column]
    measure: str
    sides: Mapping[str, "Sides"]
    """Who is compared with whom, by task."""
    gaps: Sequence[ComparedGap]
    studies: Sequence[Study]
    notes: Sequence[str]

    @property
    def tasks(self) -> list[str]:
        answered = [column.task for column in self.columns]
        trained = [run.task for row in self.rows for run in row.runs if run.history]
        return list(dict.fromkeys([*answered, *filter(None, trained)]))

    @property
    def paradigms(self) -> list[str]:
        """Names of rows as the paper's table may have them."""
        return [row.name.removesuffix(COMPUTE) for row in self.rows]

    def number_of(self, row: Row) -> int:
        """What gives a row its colour: at matched compute that of its paradigm, but hatched."""
        names = [other.name for other in self.rows]
        name = row.name.removesuffix(COMPUTE)
        if name in names:
            return names.index(name) + (len(COLOURS) if name != row.name else 0)
        return len(names)

    def columns_of(self, task: str) -> list[Column]:
        return [column for column in self.columns if column.task == task]


def compare(
    runs: Sequence[Run], predictions: Sequence[Run], studies: Sequence[Study], measure: str
) -> Comparison:
    whole = [run for run in runs if run.share >= 1]
    own = rows_of(whole)
    rows = [*own, *rows_of(predictions)]
    partial = [
        row
        for share in sorted({run.share for run in runs if run.share < 1})
        for row in rows_of([run for run in runs if run.share == share])
    ]
    columns = columns_of([*rows, *partial])
    sides = {column.task: _sides(own, rows, column.task) for column in columns}
    pairs = [
        (*pair, column)
        for column in columns
        for pair in sides[column.task].pairs([row for row in rows if _answers(row, column.task)])
    ]
    gaps = list(_corrected([*_gaps(pairs, sides, measure)]))
    notes = [*_states(studies), *_unmatched(pairs), *_single(rows), *_without_answers(rows)]
    return Comparison(rows, partial, columns, measure, sides, gaps, studies, notes)


def _sides(own: Sequence[Row], rows: Sequence[Row], task: str) -> Sides:
    """Of the rows that answered a task; predictions are only compared with."""
    rows = [row for row in rows if _answers(row, task)]
    own = [row for row in own if row in rows] or rows
    named = {row.name: row for row in own}
    focus, baseline = named.get("rft", own[-1]), named.get("zero-shot", own[0])
    return Sides(focus, None if baseline is focus else baseline)


def _answers(row: Row, task: str) -> bool:
    return any(split.partition("/")[0] == task for run in row.runs for split in run.splits)


def _gaps(
    pairs: Sequence[tuple[Row, Row, Column]], sides: Mapping[str, Sides], measure: str
) -> Iterator[ComparedGap]:
    for ours, theirs, column in pairs:
        gap = gap_between(ours, theirs, column, measure)
        if gap is not None:
            yield ComparedGap(ours, theirs, column, gap, ours is sides[column.task].focus)


def _corrected(gaps: Sequence[ComparedGap]) -> Iterator[ComparedGap]:
    for family in dict.fromkeys(line.family for line in gaps):
        members = [line for line in gaps if line.family == family]
        values = holm([line.gap.p for line in members])
        for line, p in zip(members, values, strict=True):
            yield replace(line, corrected=p)


def _states(studies: Sequence[Study]) -> Iterator[str]:
    """What of a study is not done."""
    for study in studies:
        states = [str(cell.get("state", "unknown")) for cell in study.cells]
        left = {state: states.count(state) for state in dict.fromkeys(states) if state != "done"}
        if left:
            rest = ", ".join(f"{count} {state}" for state, count in left.items())
            done = f"{states.count('done')} of {len(states)} cells are done"
            yield f"{study.about.get('name', study.folder.name)}: {done} ({rest})."


def _unmatched(pairs: Sequence[tuple[Row, Row, Column]]) -> Iterator[str]:
    """Where two rows did not answer the same questions."""
    for ours, theirs, column in pairs:
        first, second = ours.places(column), theirs.places(column)
        both = len(first & second)
        if column.single and first and second and both < max(len(first), len(second)):
            then = "their gap is that of these" if both else "no gap is shown"
            sides = f"{ours.title} ({len(first):,}) and {theirs.title} ({len(second):,})"
            where = f"{title_of(column.task)}, {column.name}"
            yield f"{where}: {both:,} questions are answered by both {sides}; {then}."


def _single(rows: Sequence[Row]) -> Iterator[str]:
    if names := [row.title for row in rows if {run.seed for run in row.runs} and _runs(row) == 1]:
        yield f"One run each: {', '.join(names)}. Their intervals cover questions, not seeds."


def _runs(row: Row) -> int:
    return max((len(row.of(column)) for column in columns_of([row])), default=0)


def _without_answers(rows: Sequence[Row]) -> Iterator[str]:
    if names := [row.title for row in rows if any(run.tallies for run in row.runs)]:
        yield (
            f"The answers of {', '.join(names)} were not kept, only their accuracy: their gaps are "
            "as wide as if questions had been different ones. The test command keeps answers."
        )
