"""The table of an iteration: what each round kept, and what it came to."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reasonrft.evaluation.table_formats import Row, markdown_table
from reasonrft.files import Staging
from reasonrft.iteration.stages import Stage
from reasonrft.report.metric_files import read_history

HEAD = ["round", "right", "by luck", "chains", "their tokens", "val accuracy", "answer tokens"]
_VALIDATED = re.compile(r"val/[^/]+/val/(accuracy|tokens)")


def write_table(home: Path, stages: Sequence[Stage]) -> str:
    """`table.md`, with a row for each round of which anything is done."""
    numbers = sorted({stage.round for stage in stages if stage.done})
    done = {(stage.round, stage.name) for stage in stages if stage.done}
    table = markdown_table(HEAD, [_row(home, number, done) for number in numbers])
    with Staging() as staging:
        staging.write(home / "table.md", (table + "\n").encode())
    return table


def _row(home: Path, number: int, done: set[tuple[int, str]]) -> Row:
    sampled, validated = [""] * 4, [""] * 2
    if (number, "distill") in done:
        sampled = _sampled(home / Stage(number, "distill").folder)
    if (number, "validate") in done:
        validated = _validated(home / Stage(number, "validate").folder)
    return [str(number) if number else "0 (base)", *sampled, *validated]


def _sampled(folder: Path) -> list[str]:
    report: dict[str, Any] = json.loads((folder / "chains.report.json").read_bytes())
    blind = report["blind"]
    return [
        f"{100 * report['right'] / report['samples']:.1f} %",
        "" if blind is None else f"{blind['by_luck']} of {report['problems_right']}",
        f"{report['kept']} of {report['problems_kept']} problems",
        f"{report['tokens']['kept']['mean']:.1f}",
    ]


def _validated(folder: Path) -> list[str]:
    last = {
        name[1]: values[max(values)]
        for metric, values in read_history(folder).items()
        if (name := _VALIDATED.fullmatch(metric))
    }
    accuracy, tokens = last.get("accuracy"), last.get("tokens")
    return [
        "" if accuracy is None else f"{100 * accuracy:.1f} %",
        "" if tokens is None else f"{tokens:.1f}",
    ]
