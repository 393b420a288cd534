"""The tables of a report as rows of cells, for the page, Markdown and CSV alike."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from reasonrft.evaluation.answers import GROUPS
from reasonrft.evaluation.image_modes import ALTERED
from reasonrft.evaluation.table_formats import csv_table, markdown_table, markdown_text
from reasonrft.evaluation.tables import heading
from reasonrft.report.charts import share_text
from reasonrft.report.comparison import SIGNIFICANT, ComparedGap, Comparison
from reasonrft.report.estimates import Estimate, Gap
from reasonrft.report.published_table import published_models, published_splits
from reasonrft.report.rows import COMPUTE, PARADIGMS, Column, Place, Row, gap_to_mode
from reasonrft.tasks import title_of

MOST_VALUES = 24
"""Templates, levels or views of a split that have a line."""


@dataclass(frozen=True)
class Cell:
    """A figure, with what stands small beside it."""

    text: str
    note: str = ""
    marked: bool = False
    """Shown to stand out, such as a gap that is significant."""


@dataclass(frozen=True)
class Table:
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


NONE = Cell("–")


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
            Cell(f"{model.model}, {PARADIGMS[model.paradigm]}" if model.paradigm else model.model),
            *(Cell(f"{model.accuracy[task, split]:.2f}") for split in splits),
        ]
        for model in models
    ]
    return Table("Published", ["", *map(heading, splits)], rows)


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
            lines.setdefault(getattr(gap, others).title, {})[gap.column] = gap
        rows = [
            [Cell(name), *(_gap_cell(found.get(column)) for column in columns)]
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


def effort_table(compared: Comparison, task: str) -> Table | None:
    """What each row took: the means over its runs, as a study notes them."""
    rows = []
    for row in [*compared.rows, *compared.partial]:
        cells = [run.cell for run in row.runs_of(task)]
        figures = [
            _mean_of(cells, "samples"),
            _mean_of(cells, "steps"),
            _mean_of(cells, "compute", "tokens"),
            _mean_of(cells, "seconds", "fit"),
            _mean_of(cells, "seconds", "test"),
            _mean_of(cells, "chosen", "step"),
        ]
        if any(figure is not None for figure in figures):
            shown = [NONE if figure is None else Cell(count(figure)) for figure in figures]
            rows.append([Cell(row_title(row)), *shown])
    head = ["", "samples", "steps", "tokens computed", "seconds of fit", "of test", "chosen step"]
    return Table(title_of(task), head, rows) if rows else None


def row_title(row: Row) -> str:
    """With the share of the chains where that is not all of them."""
    share = row.runs[0].share
    return row.title if share >= 1 else f"{row.title}, {share_text(share)} of the chains"


def _mean_of(cells: Sequence[Mapping[str, Any]], *keys: str) -> float | None:
    values = []
    for cell in cells:
        value: Any = cell
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            values.append(float(value))
    return fmean(values) if values else None


def share_table(compared: Comparison, task: str) -> Table | None:
    """Accuracies of rows that learned from a share of the chains, and of the same with all."""
    columns = compared.columns_of(task)
    names = {row.name for row in compared.partial}
    rows = [*compared.partial, *(row for row in compared.rows if row.name in names)]
    rows = [row for row in rows if any(row.of(column) for column in columns)]
    if not rows or not compared.partial:
        return None
    in_domain = next((column for column in columns if column.name == "ID"), None)
    lines = [
        [
            Cell(row_title(row)),
            *(estimate_cell(row.estimate(column, compared.measure)) for column in columns),
            _of_full(compared, row, in_domain),
        ]
        for row in sorted(rows, key=lambda row: (row.name, row.runs[0].share))
    ]
    head = ["", *(column.name for column in columns), "ID, in % of CoT-SFT on all"]
    return Table(title_of(task), head, lines)


def _of_full(compared: Comparison, row: Row, column: Column | None) -> Cell:
    full = next((other for other in compared.rows if other.name == "cot-sft"), None)
    if full is None or column is None:
        return NONE
    found, most = (which.estimate(column, compared.measure) for which in (row, full))
    return Cell(percent(found.mean / most.mean)) if found and most and most.mean else NONE


def as_markdown(compared: Comparison) -> str:
    """The page's first tables."""
    blocks = [f"Accuracy ({compared.measure}) in % [95 % interval]; gaps in points."]
    for task in compared.tasks:
        tables = {
            "Accuracy": [accuracy_table(compared, task, compared.measure)],
            "Gaps": list(gap_tables(compared, task)),
            "How much is seen": list(seen_tables(compared, task)),
            "Published": [published_table(task, _paradigms(compared))],
        }
        for title, found in tables.items():
            shown = [_markdown(table) for table in found if table is not None and table.rows]
            if shown:
                blocks += [f"## {markdown_text(title_of(task))}: {title}", *shown]
    return "\n\n".join([*blocks, *map(markdown_text, compared.notes)]) + "\n"


def _markdown(table: Table) -> str:
    lines = [[f"{cell.text} {cell.note}".strip() for cell in row] for row in table.rows]
    return markdown_table(list(table.head), lines)


def _paradigms(compared: Comparison) -> list[str]:
    return [row.name.removesuffix(COMPUTE) for row in compared.rows]


def as_csv(compared: Comparison) -> str:
    """One line for each row and column: accuracies by both measures, and its gaps."""
    head = ["row", "share", "task", "split", "runs", "questions", "tokens"]
    head += [f"{m}{end}" for m in ("strict", "official") for end in ("", "_low", "_high")]
    head += [f"{m}{end}" for m in ALTERED for end in ("", "_low", "_high")]
    for name in ("focus_gap", "baseline_gap"):
        head += [f"{name}{end}" for end in ("", "_low", "_high", "_p", "_p_holm")]
    head += ["published_2b", "published_7b"]
    lines: list[list[object]] = [list(head)]
    for row in [*compared.rows, *compared.partial]:
        for column in compared.columns:
            if (strict := row.estimate(column, "strict")) is not None:
                lines.append(_csv_line(compared, row, column, strict))
    return csv_table(lines)


def _csv_line(compared: Comparison, row: Row, column: Column, strict: Estimate) -> list[object]:
    measures = [strict, row.estimate(column, "official")]
    altered = [row.estimate(column, compared.measure, mode) for mode in ALTERED]
    line: list[object] = [row.name, row.runs[0].share, column.task, column.name]
    line += [strict.runs, strict.questions, row.mean(column, "tokens") or ""]
    for found in [*measures, *altered]:
        line += ["", "", ""] if found is None else [found.mean, found.low, found.high]
    for ours, theirs in ((compared.focus, row), (row, compared.baseline)):
        line += _csv_gap(compared, ours, theirs, column)
    return line + [_published(row, column, size) for size in ("2B", "7B")]


def _csv_gap(
    compared: Comparison, ours: Row | None, theirs: Row | None, column: Column
) -> list[object]:
    for found in compared.gaps:
        if found.ours is ours and found.theirs is theirs and found.column == column:
            gap = found.gap
            return [gap.difference, gap.low, gap.high, gap.p, found.corrected]
    return [""] * 5


def _published(row: Row, column: Column, size: str) -> object:
    split = column.splits[0].partition("/")[2] if column.single else ""
    for model in published_models():
        if model.paradigm and model.paradigm == row.name and model.model.endswith(size):
            return model.accuracy.get((column.task, split), "")
    return ""


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def bounds(found: Estimate | Gap, sign: str = "") -> str:
    low, high = (f"{100 * bound:{sign}.1f}".replace("-", "−") for bound in (found.low, found.high))
    return f"[{low}, {high}]"


def estimate_cell(found: Estimate | None) -> Cell:
    return NONE if found is None else Cell(percent(found.mean), bounds(found))


def p_text(p: float) -> str:
    return "< .001" if p < 0.001 else "1" if p > 0.9995 else f"{p:.3f}".removeprefix("0")


def count(figure: float) -> str:
    """A number that may be large, with three digits."""
    for size, name in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if figure >= size:
            return f"{figure / size:.3g} {name}"
    return f"{figure:,.0f}"
