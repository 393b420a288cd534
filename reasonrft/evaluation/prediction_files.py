"""Predictions as the release saves them, for its own scripts."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reasonrft.evaluation.answers import GROUPS, Line
from reasonrft.files import Staging

FOLDER = "vision-r1-result"

_NAMES = {
    "counting/id": "clevr-math",
    "counting/ood-domain": "super-clevr",
    "structure/id": "geomath",
    "structure/ood": "geometry3k",
    "transformation/id": "trance",
    "transformation/ood-left": "trance-left",
    "transformation/ood-right": "trance-right",
}
"""The release's benchmarks, by the split that stands in their place."""


def write_predictions(folder: Path, lines: Iterable[Line]) -> None:
    """One JSON list for each split, of the questions as they were read with their "pred"."""
    splits: dict[str, list[Line]] = {}
    for line in lines:
        splits.setdefault(line["split"], []).append(line)
    with Staging() as staging:
        for split, answers in splits.items():
            name = _NAMES.get(split, split.replace("/", "-"))
            rows = [_row(line) for line in sorted(answers, key=lambda line: line["id"])]
            staging.write(folder / FOLDER / f"{name}.json", json.dumps(rows, indent=4).encode())


def _row(line: Mapping[str, Any]) -> Line:
    keys = ("id", "image", "problem", "solution", "answer", "choices", "options", *GROUPS)
    row = {key: line[key] for key in keys if key in line}
    # Some versions of its scorer group counting by "level" and transformation by "type".
    kind = str(line.get("level", line.get("template", "all")))
    return {"level": kind, "type": kind, **row, "pred": line["completion"]}
