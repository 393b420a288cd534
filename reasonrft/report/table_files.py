"""The table of a report as Markdown and as CSV."""

from collections.abc import Sequence

from reasonrft.evaluation.image_modes import ALTERED
from reasonrft.evaluation.table_formats import csv_table, markdown_table, markdown_text
from reasonrft.report.accuracy_tables import (
    accuracy_table,
    gap_tables,
    published_table,
    seen_tables,
)
from reasonrft.report.comparison import Comparison
from reasonrft.report.estimates import Estimate
from reasonrft.report.published_table import published_models
from reasonrft.report.rows import Column, Row
from reasonrft.report.table_cells import Table
from reasonrft.tasks import title_of


def as_markdown(compared: Comparison) -> str:
    """The page's first tables."""
    blocks = [f"Accuracy ({compared.measure}) in % [95 % interval]; gaps in points."]
    for task in compared.tasks:
        tables: dict[str, Sequence[Table | None]] = {
            "Accuracy": [accuracy_table(compared, task, compared.measure)],
            "Gaps": list(gap_tables(compared, task)),
            "How much is seen": list(seen_tables(compared, task)),
            "Published": [published_table(task, compared.paradigms)],
        }
        for title, found in tables.items():
            shown = [_markdown(table) for table in found if table is not None and table.rows]
            if shown:
                blocks += [f"## {markdown_text(title_of(task))}: {title}", *shown]
    return "\n\n".join([*blocks, *map(markdown_text, compared.notes)]) + "\n"


def _markdown(table: Table) -> str:
    lines = [[f"{cell.text} {cell.note}".strip() for cell in row] for row in table.rows]
    return markdown_table(list(table.head), lines)


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
    sides = compared.sides[column.task]
    for ours, theirs in ((sides.focus, row), (row, sides.baseline)):
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
