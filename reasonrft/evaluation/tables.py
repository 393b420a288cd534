"""Accuracies in the layout of the paper's table: task x in domain / out of domain."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean

from reasonrft.evaluation.results import Summary, Tally
from reasonrft.tasks import title_of

Splits = Mapping[str, Tally]
Row = list[str]

MEASURES = {"official": "official_interval", "strict": "interval"}
"""The two scores, with the keys of their intervals."""


def average(splits: Splits, measure: str) -> float:
    """A task's average over its splits, whatever their sizes."""
    return fmean(found[measure] for found in splits.values())


def as_text(summary: Summary) -> str:
    """For a terminal: one block for each task."""
    head = f"{summary['policy']}: accuracy in % [95 % interval]"
    return "\n\n".join([head, *(_block(*item) for item in summary["tasks"].items())])


def _block(task: str, splits: Splits) -> str:
    rows = [
        [title_of(task), *map(heading, splits), "average"],
        *([measure, *_cells(splits, measure)] for measure in MEASURES),
        ["answers", *(str(found["n"]) for found in splits.values()), ""],
    ]
    return text_table(rows)


def text_table(rows: Sequence[Row]) -> str:
    """Columns below each other: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_aligned(row, widths) for row in rows)


def _aligned(row: Row, widths: Sequence[int]) -> str:
    first, *rest = zip(row, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(to) for cell, to in rest)]).rstrip()


def as_markdown(summary: Summary) -> str:
    """The paper's table in one, then one table for each kind of question."""
    tasks = summary["tasks"]
    columns = [
        f"{title_of(task)}: {column}"
        for task, splits in tasks.items()
        for column in [*map(heading, splits), "average"]
    ]
    rows = [
        [f"{summary['policy']} ({measure})"]
        + [cell for splits in tasks.values() for cell in _cells(splits, measure)]
        for measure in MEASURES
    ]
    parts = ["Accuracy in % [95 % interval]", markdown_table(["", *columns], rows)]
    for task, splits in tasks.items():
        for split, found in splits.items():
            parts += [f"## {title_of(task)}: {heading(split)}", markdown_table(*_parted(found))]
    return "\n\n".join(parts) + "\n"


def _parted(found: Tally) -> tuple[Row, list[Row]]:
    rows = [
        [kind, value]
        + [cell(tally, measure) for measure in MEASURES]
        + [str(tally["n"]), f"{tally['tokens']:.0f}", _percent(tally["truncated"])]
        for kind, value, tally in _parts(found)
    ]
    return ["", "", *MEASURES, "answers", "tokens", "truncated"], rows


def markdown_table(head: Row, rows: Iterable[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_escaped, line)) + " |" for line in lines)


def _escaped(cell: str) -> str:
    return " ".join(cell.split()).replace("|", "\\|")


def as_csv(summary: Summary) -> str:
    """One line for each split, and for each template, level and view in it."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    bounds = [f"{measure}_{end}" for measure in MEASURES for end in ("low", "high")]
    names = ["n", *MEASURES, "tokens", "truncated"]
    writer.writerow(["policy", "task", "split", "by", "value", *names, *bounds])
    for task, splits in summary["tasks"].items():
        for split, found in splits.items():
            for kind, value, tally in _parts(found):
                ends = [end for interval in MEASURES.values() for end in tally[interval]]
                row = [summary["policy"], task, split, kind, value]
                writer.writerow(row + [tally[name] for name in names] + ends)
    return file.getvalue()


def _parts(found: Tally) -> Iterator[tuple[str, str, Tally]]:
    """A split as a whole, and its parts, with the kind and the name of each."""
    yield "all", "", found
    for kind, values in found["by"].items():
        for value, tally in values.items():
            yield kind, value, tally


def _cells(splits: Splits, measure: str) -> Row:
    return [cell(found, measure) for found in splits.values()] + [
        _percent(average(splits, measure))
    ]


def cell(found: Tally, measure: str) -> str:
    low, high = (f"{100 * bound:.1f}" for bound in found[MEASURES[measure]])
    return f"{_percent(found[measure])} [{low}, {high}]"


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def heading(split: str) -> str:
    return "ID" if split == "id" else split.replace("ood", "OOD")
