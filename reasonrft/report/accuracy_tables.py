"""The tables of a report: accuracies, gaps, what was seen, and kinds of questions."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from reasonrft.evaluation.answers import GROUPS
from reasonrft.evaluation.image_modes import ALTERED
from reasonrft.evaluation.tables import heading
from reasonrft.report.comparison import SIGNIFICANT, ComparedGap, Comparison
from reasonrft.report.published_table import (
    PublishedModel,
    published_models,
    published_splits,
)
from reasonrft.report.rows import PARADIGMS, Column, Place, Row, gap_to_mode
from reasonrft.report.table_cells import (
    NONE,
    Cell,
    Table,
    bounds,
    estimate_cell,
    p_text,
    percent,
    signed,
)
from reasonrft.tasks import title_of

MOST_VALUES = 24
"""Templates, levels or views of a split that have a line."""


def accuracy_table(compared: Comparison, task: str, measure: str) -> Table:
    """A task's accuracies: rows x splits."""
    columns = compared.columns_of(task)
    rows = []
    for row in _answering(compared.rows, columns):
        found = [row.estimate(column, measure) for column in columns]
        single = [e.mean for e, c in zip(found, columns, strict=True) if e and c.single]
        rest = Cell(percent(fmean(single))) if single else NONE
        runs = max((estimate.runs for estimate in found if estimate), default=0)
        cells = [estimate_cell(estimate) for estimate in found]
        rows.append([Cell(row.title), *cells, rest, _tokens(row, columns), Cell(str(runs))])
    sizes = [_questions(compared, column) for column in columns]
    names = [f"{column.name} ({size:,})" for column, size in zip(columns, sizes, strict=True)]
    return Table(title_of(task), ["", *names, "average", "tokens", "runs"], rows)


def _answering(rows: Sequence[Row], columns: Sequence[Column]) -> list[Row]:
    splits = {split for column in columns for split in column.splits}
    return [row for row in rows if any(run.splits & splits for run in row.runs)]


def _questions(compared: Comparison, column: Column) -> int:
    found = [row.estimate(column, "strict") for row in compared.rows]
    return max((estimate.questions for estimate in found if estimate), default=0)


def _tokens(row: Row, columns: Sequence[Column]) -> Cell:
    single = [row.mean(column, "tokens") for column in columns if column.single]
    tokens = [mean for mean in single if mean]
    return Cell(f"{fmean(tokens):.0f}") if tokens else NONE


def published_table(task: str, paradigms: Sequence[str] | None = None) -> Table | None:
    """What the paper reports of a task: of these paradigms, or of all models."""
    splits = published_splits(task)
    models = [
        model for model in published_models() if paradigms is None or model.paradigm in paradigms
    ]
    if not splits or not models:
        return None
    rows = [
        [
            Cell(_model_title(model)),
            *(Cell(f"{model.accuracy[task, split]:.2f}") for split in splits),
        ]
        for model in models
    ]
    return Table("Published", ["", *map(heading, splits)], rows)


def _model_title(model: PublishedModel) -> str:
    """Like "Reason-RFT, 2B": all that the paper trains is Qwen2-VL."""
    if not model.paradigm:
        return model.model
    return f"{PARADIGMS[model.paradigm]}, {model.model.removeprefix('Qwen2-VL-')}"


def gap_tables(compared: Comparison, task: str) -> Iterator[Table]:
    """Differences on each column with intervals and p-values: a table for each family of gaps."""
    columns = compared.columns_of(task)
    families: dict[tuple[str, bool], list[ComparedGap]] = {}
    for line in compared.gaps:
        if line.column.task == task:
            families.setdefault(line.family, []).append(line)
    for (_, of_focus), gaps in families.items():
        fixed, others = ("ours", "theirs") if of_focus else ("theirs", "ours")
        fixed_title = getattr(gaps[0], fixed).title
        title = f"{fixed_title} − …" if of_focus else f"… − {fixed_title}"
        lines: dict[str, dict[Column, ComparedGap]] = {}
        for gap in gaps:
            lines.setdefault(getattr(gap, others).name, {})[gap.column] = gap
        titles = {row.name: row.title for row in compared.rows}
        rows = [
            [Cell(titles[name]), *(_gap_cell(found.get(column)) for column in columns)]
            for name, found in lines.items()
        ]
        yield Table(title, [title, *(column.name for column in columns)], rows)


def _gap_cell(line: ComparedGap | None) -> Cell:
    if line is None:
        return NONE
    p = f"p {p_text(line.gap.p)}, Holm {p_text(line.corrected)}"
    significant = line.corrected < SIGNIFICANT
    return Cell(signed(line.gap.difference), f"{bounds(line.gap, '+')}\n{p}", significant)


def seen_tables(compared: Comparison, task: str) -> Iterator[Table]:
    """How much of the accuracy rests on the images: a table for each split."""
    head = ["images", "blind", "images − blind", "swapped", "images − swapped"]
    for column in compared.columns_of(task):
        lines = [(row, _seen_cells(compared, row, column)) for row in compared.rows]
        rows = [[Cell(row.title), *cells] for row, cells in lines if cells]
        if rows and column.single:
            yield Table(column.name, [column.name, *head], rows)


def _seen_cells(compared: Comparison, row: Row, column: Column) -> list[Cell]:
    gaps = {mode: gap_to_mode(row, column, compared.measure, mode) for mode in ALTERED}
    if not any(gaps.values()):
        return []
    cells = [estimate_cell(row.estimate(column, compared.measure))]
    for mode, gap in gaps.items():
        cells.append(estimate_cell(row.estimate(column, compared.measure, mode)))
        cells.append(NONE if gap is None else Cell(signed(gap.difference), bounds(gap, "+")))
    return cells


def group_tables(compared: Comparison, task: str) -> Iterator[Table]:
    """Accuracies by template, level and view of each split."""
    columns = [column for column in compared.columns_of(task) if column.single]
    rows = [row for row in compared.rows if any(row.of(column) for column in columns)]
    for kind in ("level", "view", *(name for name in GROUPS if name not in ("level", "view"))):
        lines = []
        for column in columns:
            groups = group_places(rows, column, kind)
            for value, places in list(groups.items())[:MOST_VALUES]:
                found = [row.estimate(column, compared.measure, chosen=places) for row in rows]
                name = f"{column.name}: {value} ({len(places):,})"
                lines.append([Cell(name), *map(estimate_cell, found)])
        if len(lines) > 1:
            yield Table(f"By {kind}", ["", *(row.title for row in rows)], lines)


def group_places(rows: Sequence[Row], column: Column, kind: str) -> dict[str, set[Place]]:
    """The questions of each template, level or view."""
    groups: dict[str, set[Place]] = {}
    for row in rows:
        for run in row.of(column)[:1]:
            for split in column.splits:
                for question, answer in run.answers["own"][split].items():
                    if kind in answer.groups:
                        groups.setdefault(answer.groups[kind], set()).add((split, question))
    return {value: groups[value] for value in sorted(groups, key=_natural)}


def _natural(value: str) -> tuple[int, str]:
    """Levels in the order of their numbers."""
    return (int(value) if value.isdecimal() and len(value) < 9 else -1, value)
