"""What training changed: accuracies of the same splits before and after, side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from reasonrft.evaluation.results import Tally, difference
from reasonrft.evaluation.table_formats import Row, markdown_table, markdown_text, text_table
from reasonrft.evaluation.tables import cell, heading, signed
from reasonrft.tasks import title_of

Tasks = Mapping[str, Mapping[str, Tally]]
"""Tallies by task and split."""

_TIMES = ("before", "after", "difference")


def differences(before: Tasks, after: Tasks) -> dict[str, dict[str, Tally]]:
    """What both measures gained, with intervals, on every split that was answered twice."""
    return {
        task: {
            split: difference(before[task][split], split_tally)
            for split, split_tally in splits.items()
            if split in before.get(task, {})
        }
        for task, splits in after.items()
    }


def comparison_text(summary: Mapping[str, Any]) -> str:
    """For a terminal: a block for each task, a line for each split."""
    blocks = [text_table(_rows(summary, task)) for task in summary["after"]]
    return "\n\n".join([_caption(summary), *blocks])


def comparison_markdown(summary: Mapping[str, Any]) -> str:
    tables = [_rows(summary, task) for task in summary["after"]]
    caption = markdown_text(_caption(summary))
    return "\n\n".join([caption, *(markdown_table(head, rows) for head, *rows in tables)]) + "\n"


def _caption(summary: Mapping[str, Any]) -> str:
    return (
        f"{summary['policy']}, {summary['steps']} steps, seed {summary['seed']}: "
        "accuracy (strict) in % [95 % interval]"
    )


def _rows(summary: Mapping[str, Any], task: str) -> Sequence[Row]:
    head = [title_of(task), *_TIMES, "answers"]
    rows = [
        [
            heading(split),
            *(_at(summary, time, task, split) for time in _TIMES),
            str(split_tally["n"]),
        ]
        for split, split_tally in summary["after"][task].items()
    ]
    return [head, *rows]


def _at(summary: Mapping[str, Any], time: str, task: str, split: str) -> str:
    split_tally = summary[time].get(task, {}).get(split)
    if split_tally is None:
        return "-"
    return signed(split_tally, "strict") if time == "difference" else cell(split_tally, "strict")
