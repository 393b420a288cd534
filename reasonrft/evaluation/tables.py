"""Accuracies in the layout of the paper's table: task x in domain / out of domain."""

from collections.abc import Iterable, Iterator, Mapping
from statistics import fmean

from reasonrft.evaluation.image_modes import ALTERED
from reasonrft.evaluation.results import MEASURES, Summary, Tally
from reasonrft.evaluation.table_formats import (
    Row,
    csv_table,
    markdown_table,
    markdown_text,
    text_table,
)
from reasonrft.tasks import title_of

Splits = Mapping[str, Tally]


def average(splits: Splits, measure: str) -> float:
    """A task's average over its splits, whatever their sizes."""
    return fmean(split_tally[measure] for split_tally in splits.values())


def as_text(summary: Summary) -> str:
    """For a terminal: one block for each task, and one for what was answered without its images."""
    blocks = [f"{summary['policy']}: accuracy in % [95 % interval]"]
    for task, splits in summary["tasks"].items():
        blocks.append(text_table([*_rows(_title(summary, task), splits)]))
        if modes := altered_modes(splits):
            head, rows = _seen(_title(summary, task), splits, modes, ("strict",))
            blocks.append(text_table([head, *rows]))
    return "\n\n".join(blocks)


def _rows(task_title: str, splits: Splits) -> Iterator[Row]:
    yield [task_title, *map(heading, splits), "average"]
    for measure in MEASURES:
        yield [measure, *_cells(splits, measure)]
    yield ["answers", *(str(split_tally["n"]) for split_tally in splits.values()), ""]


def altered_modes(splits: Splits) -> tuple[str, ...]:
    """The modes other than with the problem's own images that any split was answered in."""
    return tuple(
        mode for mode in ALTERED if any(mode in split_tally for split_tally in splits.values())
    )


def _seen(
    task_title: str, splits: Splits, modes: Iterable[str], measures: Iterable[str]
) -> tuple[Row, list[Row]]:
    """Accuracies with the images, without them and with another problem's, and the gaps."""
    beside = [column for mode in modes for column in (mode, f"images - {mode}")]
    head = [f"{task_title}: how much was seen", "images", *beside]
    rows = [
        [f"{heading(split)} ({measure})", cell(split_tally, measure)]
        + [text for mode in modes for text in _beside(split_tally.get(mode), measure)]
        for split, split_tally in splits.items()
        for measure in measures
    ]
    return head, rows


def _beside(altered: Tally | None, measure: str) -> Row:
    if altered is None:
        return ["-", "-"]
    return [cell(altered, measure), signed(altered["gap"], measure)]


def as_markdown(summary: Summary) -> str:
    """The paper's table in one, what was seen, then one table for each kind of question."""
    tasks = summary["tasks"]
    columns = [
        f"{_title(summary, task)}: {column}"
        for task, splits in tasks.items()
        for column in [*map(heading, splits), "average"]
    ]
    rows = [
        [f"{summary['policy']} ({measure})"]
        + [cell for splits in tasks.values() for cell in _cells(splits, measure)]
        for measure in MEASURES
    ]
    blocks = ["Accuracy in % [95 % interval]", markdown_table(["", *columns], rows)]
    for task, splits in tasks.items():
        if modes := altered_modes(splits):
            blocks.append(markdown_table(*_seen(_title(summary, task), splits, modes, MEASURES)))
    for task, splits in tasks.items():
        for split, split_tally in splits.items():
            title = markdown_text(f"{_title(summary, task)}: {heading(split)}")
            blocks += [f"## {title}", markdown_table(*_by_group(split_tally))]
    return "\n\n".join(blocks) + "\n"


def _by_group(split_tally: Tally) -> tuple[Row, list[Row]]:
    rows = [
        [kind, value]
        + [cell(tally, measure) for measure in MEASURES]
        + [str(tally["n"]), f"{tally['tokens']:.0f}", _percent(tally["truncated"])]
        for kind, value, tally in _groups(split_tally)
    ]
    return ["", "", *MEASURES, "answers", "tokens", "truncated"], rows


def as_csv(summary: Summary) -> str:
    """One line for each split, and for each template, level and view in it.

    Where a split was also answered without its images, the split's line holds these accuracies.
    """
    tasks = summary["tasks"]
    modes = [mode for mode in ALTERED if any(mode in altered_modes(s) for s in tasks.values())]
    head = ["policy", "task", "split", "by", "value", *_NAMES, *_BOUNDS]
    for mode in modes:
        head += [f"{mode}_{name}" for name in ("n", *_FIGURES)]
        head += [f"gap_{mode}_{name}" for name in _FIGURES]
    lines: list[list[object]] = [list(head)]
    for task, splits in tasks.items():
        for split, split_tally in splits.items():
            for kind, value, tally in _groups(split_tally):
                line = [summary["policy"], task, split, kind, value]
                line += [tally[name] for name in _NAMES] + _ends(tally)
                lines.append(line + [x for mode in modes for x in _beside_csv(tally.get(mode))])
    return csv_table(lines)


_NAMES = ("n", *MEASURES, "tokens", "truncated")
_BOUNDS = tuple(f"{measure}_{end}" for measure in MEASURES for end in ("low", "high"))
_FIGURES = (*MEASURES, *_BOUNDS)


def _ends(tally: Tally) -> list[object]:
    return [end for interval in MEASURES.values() for end in tally[interval]]


def _beside_csv(altered: Tally | None) -> list[object]:
    """The figures of another mode and their gap, empty where a line has none."""
    if altered is None:
        return [""] * (1 + 2 * len(_FIGURES))
    gap = altered["gap"]
    figures = [altered["n"], *(altered[name] for name in MEASURES), *_ends(altered)]
    return [*figures, *(gap[name] for name in MEASURES), *_ends(gap)]


def _groups(split_tally: Tally) -> Iterator[tuple[str, str, Tally]]:
    """A split as a whole, and its groups, with the kind and the name of each."""
    yield "all", "", split_tally
    for kind, values in split_tally["by"].items():
        for value, tally in values.items():
            yield kind, value, tally


def _cells(splits: Splits, measure: str) -> Row:
    cells = [cell(split_tally, measure) for split_tally in splits.values()]
    return [*cells, _percent(average(splits, measure))]


def cell(tally: Tally, measure: str) -> str:
    low, high = (f"{100 * bound:.1f}" for bound in tally[MEASURES[measure]])
    return f"{_percent(tally[measure])} [{low}, {high}]"


def signed(change: Tally, measure: str) -> str:
    """A difference with its interval."""
    low, high = (f"{100 * bound:+.1f}" for bound in change[MEASURES[measure]])
    return f"{100 * change[measure]:+.2f} [{low}, {high}]"


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _title(summary: Summary, task: str) -> str:
    return summary.get("titles", {}).get(task) or title_of(task)


def heading(split: str) -> str:
    return "ID" if split == "id" else split.replace("ood", "OOD")
