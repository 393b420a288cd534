"""The study's table: means over seeds by paradigm, task and split, and what they have cost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from reasonrft.evaluation.table_formats import Row, csv_table, markdown_table
from reasonrft.evaluation.tables import heading
from reasonrft.files import Staging
from reasonrft.report.estimates import Estimate, estimate_means
from reasonrft.report.table_cells import bounds, percent
from reasonrft.study.cell_results import read_summary
from reasonrft.study.cells import Cell
from reasonrft.tasks import title_of

MODES = {"own": "images", "blind": "blind", "swapped": "swapped"}


Key = tuple[str, str, str]
"""Task, split and mode."""


@dataclass(frozen=True)
class Line:
    """A row of the table: a paradigm, on all problems or on a share of them."""

    name: str
    figures: Mapping[Key, Estimate]
    """Accuracies over all seeds."""
    cells: Mapping[str, Sequence[Cell]]
    """Those that are done, by task."""

    def cost(self, task: str, name: str) -> float | None:
        """A mean over seeds: samples, steps, compute or seconds."""
        values = [_cost(cell, name) for cell in self.cells.get(task, ())]
        return fmean(values) if values else None


def _cost(cell: Cell, name: str) -> float:
    costs = {
        "samples": cell.samples,
        "steps": cell.steps,
        "compute": cell.compute.get("tokens", 0.0),
        "seconds": sum(cell.seconds.values()),
    }
    return costs[name]


def lines_of(home: Path, cells: Sequence[Cell]) -> list[Line]:
    """Rows in the order of the cells."""
    lines = []
    for name in dict.fromkeys(cell.row for cell in cells):
        own = [cell for cell in cells if cell.row == name and cell.state == "done"]
        by_task = {task: [c for c in own if c.task == task] for task in _tasks(cells)}
        lines.append(Line(name, dict(_figures(home, by_task)), by_task))
    return lines


def _tasks(cells: Sequence[Cell]) -> list[str]:
    return list(dict.fromkeys(cell.task for cell in cells))


def _figures(home: Path, cells: Mapping[str, Sequence[Cell]]) -> Iterator[tuple[Key, Estimate]]:
    for task, own in cells.items():
        summaries = [summary for cell in own if (summary := read_summary(home / cell.folder))]
        for split in dict.fromkeys(split for s in summaries for split in s["tasks"].get(task, {})):
            tallies = [s["tasks"][task][split] for s in summaries if split in s["tasks"][task]]
            for mode in MODES:
                of_mode = [t if mode == "own" else t[mode] for t in tallies if mode in (*t, "own")]
                if of_mode:
                    accuracies = [tally["strict"] for tally in of_mode]
                    questions = min(tally["n"] for tally in of_mode)
                    yield (task, split, mode), estimate_means(accuracies, questions)


def as_markdown(lines: Sequence[Line]) -> str:
    """Accuracies, how much of them is seen, and what they have cost."""
    keys = list(dict.fromkeys(key for line in lines for key in line.figures))
    tasks = list(dict.fromkeys(task for line in lines for task in line.cells))
    blocks = [
        "Accuracy (strict) in %, mean over seeds [95 % interval over questions and seeds]",
        markdown_table(*_accuracies(lines, [key for key in keys if key[2] == "own"])),
        "The same questions without their images, and with another problem's",
        markdown_table(*_seen(lines, keys)),
        "Cost, mean over seeds; compute in millions of tokens of a forward pass",
        markdown_table(*_costs(lines, tasks)),
    ]
    return "\n\n".join(blocks) + "\n"


def _accuracies(lines: Sequence[Line], keys: Sequence[Key]) -> tuple[Row, list[Row]]:
    head = ["", *(f"{title_of(task)}: {heading(split)}" for task, split, _ in keys), "seeds"]
    return head, [
        [line.name, *(_shown(line.figures.get(key)) for key in keys), _seeds(line)]
        for line in lines
    ]


def _shown(found: Estimate | None) -> str:
    return "-" if found is None else f"{percent(found.mean)} {bounds(found)}"


def _seeds(line: Line) -> str:
    """How many each task has; a task that has fewer is seen."""
    counts = [len(cells) for cells in line.cells.values()]
    return str(counts[0]) if len(set(counts)) == 1 else ", ".join(map(str, counts))


def _seen(lines: Sequence[Line], keys: Sequence[Key]) -> tuple[Row, list[Row]]:
    places = list(dict.fromkeys(key[:2] for key in keys))
    rows = [
        [f"{line.name}, {task}: {heading(split)}"]
        + [_shown(line.figures.get((task, split, mode))) for mode in MODES]
        for line in lines
        for task, split in places
        if (task, split, "own") in line.figures
    ]
    return ["", *MODES.values()], rows


def _costs(lines: Sequence[Line], tasks: Sequence[str]) -> tuple[Row, list[Row]]:
    shown = {"samples": "{:,.0f}", "steps": "{:,.0f}", "compute": "{:.2f}", "seconds": "{:,.0f}"}
    head = ["", *(f"{title_of(task)}: {name}" for task in tasks for name in shown)]
    return head, [
        [line.name]
        + [
            "-" if value is None else form.format(value / (1e6 if name == "compute" else 1))
            for task in tasks
            for name, form in shown.items()
            for value in [line.cost(task, name)]
        ]
        for line in lines
    ]


def as_csv(lines: Sequence[Line]) -> str:
    """One line for each paradigm, split and mode."""
    costs = ("samples", "steps", "compute", "seconds")
    head = ["row", "task", "split", "images", "mean", "low", "high", "seeds", "questions", *costs]
    rows: list[list[object]] = [list(head)]
    for line in lines:
        for (task, split, mode), found in line.figures.items():
            rows.append(
                [line.name, task, split, MODES[mode], found.mean, found.low, found.high]
                + [found.runs, found.questions]
                + [line.cost(task, name) for name in costs]
            )
    return csv_table(rows)


def write_table(home: Path, cells: Sequence[Cell]) -> str:
    """Write table.md and table.csv; returns the first."""
    lines = lines_of(home, cells)
    text = as_markdown(lines)
    with Staging() as staging:
        staging.write(home / "table.md", text.encode())
        staging.write(home / "table.csv", as_csv(lines).encode())
    return text
