"""The cells of a study, and the files in which each says how it stands."""

import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from reasonrft.errors import BadInput
from reasonrft.files import Staging
from reasonrft.study.study_config import PARADIGMS, Study, needs

ADDITIONS = ("seeds", "shares", "shared", "tasks", "paradigms", "problems")
"""Keys of a study to which something may be added later."""
HARMLESS = ("folder", "expected")

State = Literal["waiting", "running", "done", "failed"]


@dataclass
class Cell:
    """A paradigm on a task, with one seed, on all problems or on a share of them."""

    task: str
    paradigm: str
    seed: int
    share: float = 1.0
    state: State = "waiting"
    commands: list[list[str]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """Of each stage that has ended."""
    unfinished: float = 0.0
    """Seconds that went into the stage under way before it was broken off."""
    samples: int = 0
    """Problems that it learned from."""
    steps: int = 0
    """Optimizer steps."""
    compute: dict[str, float] = field(default_factory=dict)
    chosen: dict[str, Any] = field(default_factory=dict)
    folder: str = ""
    """Below the study's."""

    def __post_init__(self) -> None:
        self.folder = self.folder or str(Path("cells", self.task, self.row, f"seed-{self.seed}"))

    @property
    def row(self) -> str:
        """Its paradigm, with its share of the problems."""
        return self.paradigm + (f"-1-of-{round(1 / self.share)}" if self.share < 1 else "")

    @property
    def fraction(self) -> Fraction:
        return Fraction(self.share).limit_denominator(10_000)

    @property
    def title(self) -> str:
        return f"{self.task} {self.row} seed {self.seed}"

    def write(self, home: Path) -> None:
        """Its state in its folder, whole or as it was."""
        with Staging() as staging:
            content = json.dumps(asdict(self), indent=1) + "\n"
            staging.write(home / self.folder / "cell.json", content.encode())


def cells_of(study: Study) -> list[Cell]:
    """All cells in their order: a seed's whole table first, and shares last."""
    return [*_table(study), *_shares(study)]


def _table(study: Study) -> Iterator[Cell]:
    # What is matched comes after what it is matched to.
    paradigms = [name for name in PARADIGMS if name in study.paradigms]
    for seed in study.seeds:
        for task in study.tasks:
            for paradigm in paradigms:
                # Greedy answers of weights that nothing has trained are those of any seed.
                if paradigm != "zero-shot" or seed == study.seeds[0]:
                    yield Cell(task, paradigm, seed)


def _shares(study: Study) -> Iterator[Cell]:
    for seed in study.seeds:
        for task in study.tasks:
            for paradigm in study.shared:
                for share in study.fractions:
                    yield Cell(task, paradigm, seed, float(share))


def needed(cell: Cell, cells: Iterable[Cell]) -> list[Cell]:
    """The cells whose figures say how long this one is trained."""
    same = [c for c in cells if (c.task, c.seed, c.share) == (cell.task, cell.seed, 1.0)]
    return [c for name in needs(cell.paradigm) for c in same if c.paradigm == name]


def read_cell(cell: Cell, home: Path) -> Cell:
    """The cell as its file has it, if there is one; what ran when the study was killed waits."""
    path = home / cell.folder / "cell.json"
    if not path.exists():
        return cell
    try:
        read = Cell(**json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise BadInput(f"{path} is not a cell of a study: delete its folder ({error})") from error
    if read.state != "done":
        read.state = "waiting"
    return read


def write_study(
    home: Path, name: str, config: Mapping[str, Any], machine: str, cells: Sequence[Cell]
) -> None:
    path = home / "study.json"
    try:
        started = json.loads(path.read_bytes())["started"]
    except (OSError, ValueError, KeyError):
        started = date.today().isoformat()
    content = {
        "name": name,
        "config": dict(config),
        "machine": machine,
        "started": started,
        "cells": [asdict(cell) for cell in cells],
    }
    with Staging() as staging:
        staging.write(path, (json.dumps(content, indent=1) + "\n").encode())


def machine() -> str:
    """What it ran on, without a name; a process that has asked a GPU can fork no others."""
    import torch

    cores = f"{os.cpu_count()} cores, {_processor()}"
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
    return f"{gpu}, {cores}" if gpu else cores


def _processor() -> str:
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        if named := [line for line in lines if line.startswith("model name")]:
            return named[0].partition(":")[2].strip()
    return platform.processor() or platform.machine()


def check_config(home: Path, config: Mapping[str, Any]) -> None:
    """Cells of another configuration are no part of this table."""
    path = home / "study.json"
    if not path.exists():
        return
    try:
        before = json.loads(path.read_bytes())["config"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} is not a study: delete its folder ({error})") from error
    now = json.loads(json.dumps(config))
    for key in sorted(before.keys() | now.keys()):
        one, other = before.get(key), now.get(key)
        if key not in HARMLESS and not (key in ADDITIONS and _adds(one, other)) and one != other:
            raise BadInput(
                f"{home} holds cells of another study, for {key} has changed: give this one "
                "another name (seeds, shares, tasks and paradigms may be added, not changed)"
            )


def _adds(before: Any, now: Any) -> bool:
    """Whether all that was there still is, as it was."""
    if isinstance(before, dict) and isinstance(now, dict):
        return all(key in now and now[key] == value for key, value in before.items())
    if isinstance(before, list) and isinstance(now, list):
        return set(before) <= set(now)
    return False
