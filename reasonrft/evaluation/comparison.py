"""What training changed: accuracies of the same splits before and after, side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from reasonrft.evaluation.intervals import difference_interval
from reasonrft.evaluation.results import Tally
from reasonrft.evaluation.tables import (
    MEASURES,
    Row,
    cell,
    heading,
    markdown_table,
    text_table,
)
from reasonrft.tasks import title_of

Tasks = Mapping[str, Mapping[str, Tally]]
"""Tallies by task and split."""

_TIMES = ("before", "after", "difference")


def differences(before: Tasks, after: Tasks) -> dict[str, dict[str, Tally]]:
    """What both scores gained, with intervals, on every split that was answered twice."""
    return {
        task: {
            split: _difference(before[task][split], found)
            for split, found in splits.items()
            if split in before.get(task, {})
        }
        for task, splits in after.items()
    }


def _difference(before: Tally, after: Tally) -> Tally:
    change: Tally = {}
    for measure, interval in MEASURES.items():
        sides = (before[measure], before[interval], after[measure], after[interval])
        change[measure] = after[measure] - before[measure]
        change[interval] = list(difference_interval(*sides))
    return change


def comparison_text(summary: Mapping[str, Any]) -> str:
    """For a terminal: a block for each task, a line for each split."""
    blocks = [text_table(_rows(summary, task)) for task in summary["after"]]
    return "\n\n".join([_caption(summary), *blocks])


def comparison_markdown(summary: Mapping[str, Any]) -> str:
    tables = [_rows(summary, task) for task in summary["after"]]
    parts = [_caption(summary), *(markdown_table(head, rows) for head, *rows in tables)]
    return "\n\n".join(parts) + "\n"


def _caption(summary: Mapping[str, Any]) -> str:
    return (
        f"{summary['policy']}, {summary['steps']} steps, seed {summary['seed']}: "
        "accuracy (strict) in % [95 % interval]"
    )


def _rows(summary: Mapping[str, Any], task: str) -> Sequence[Row]:
    head = [title_of(task), *_TIMES, "answers"]
    rows = [
        [heading(split), *(_at(summary, time, task, split) for time in _TIMES), str(found["n"])]
        for split, found in summary["after"][task].items()
    ]
    return [head, *rows]


def _at(summary: Mapping[str, Any], time: str, task: str, split: str) -> str:
    found = summary[time].get(task, {}).get(split)
    if found is None:
        return "-"
    return _signed(found) if time == "difference" else cell(found, "strict")


def _signed(change: Tally) -> str:
    low, high = (f"{100 * bound:+.1f}" for bound in change[MEASURES["strict"]])
    return f"{100 * change['strict']:+.2f} [{low}, {high}]"
