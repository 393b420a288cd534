"""What rows took, and what they reach with a share of the data."""

import shlex
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from reasonrft.report.charts import share_text
from reasonrft.report.comparison import Comparison
from reasonrft.report.rows import Column, Row
from reasonrft.report.table_cells import NONE, Cell, Table, count, estimate_cell, percent
from reasonrft.tasks import title_of


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


def commands(compared: Comparison, task: str) -> list[str]:
    """The commands of each row's first run, as a study notes them."""
    found = []
    for row in [*compared.rows, *compared.partial]:
        for run in row.runs_of(task)[:1]:
            for command in run.cell.get("commands") or ():
                if isinstance(command, list):
                    found.append(shlex.join(["python", "-m", "reasonrft", *map(str, command)]))
    return list(dict.fromkeys(found))


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
