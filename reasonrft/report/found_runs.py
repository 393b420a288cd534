"""The runs that a report is about: cells of studies, folders of fit and of test."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from reasonrft.errors import BadInput
from reasonrft.evaluation.answers import Line
from reasonrft.evaluation.image_modes import ImageMode
from reasonrft.evaluation.results import MEASURES, Tally
from reasonrft.report.measured_answers import (
    Answered,
    answer_files,
    read_answers,
    read_lines,
)
from reasonrft.report.metric_files import History, metric_files, read_history

DEEPEST = 4
"""Folders below a given one in which runs are looked for."""
_SEED = re.compile(r"seed-(\d+)")
_SHARE = re.compile(r"(.+)-(\d+)-of-(\d+)")


@dataclass(frozen=True)
class Run:
    """One run's figures, as far as its folder has them."""

    name: str
    """Of its row: a study's paradigm, or what its folder is called."""
    folder: Path
    seed: int = 0
    share: float = 1.0
    """Of the chains that it learned from."""
    cell: Mapping[str, Any] = field(default_factory=dict)
    results: Path | None = None
    """The folder of its answers."""
    answers: Mapping[ImageMode, Answered] = field(default_factory=dict)
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    """By split, where the answers themselves were not kept."""
    history: History = field(default_factory=dict)
    lines: Sequence[Line] = ()
    """The answers themselves, where no file of a run holds them."""

    @property
    def splits(self) -> set[str]:
        return {*self.answers.get("own", {}), *self.tallies}

    @property
    def task(self) -> str:
        """Whose curves these are."""
        validated = {name.split("/")[1] for name in self.history if name.startswith("val/")}
        tasks = {split.partition("/")[0] for split in self.splits} or validated
        return str(self.cell.get("task") or (tasks.pop() if len(tasks) == 1 else ""))


@dataclass(frozen=True)
class Study:
    """What the folder of a study says of itself."""

    folder: Path
    about: Mapping[str, Any]
    cells: Sequence[Mapping[str, Any]]


def find_runs(folders: Sequence[Path]) -> tuple[list[Run], list[Study]]:
    """All runs in folders and below them; `BadInput` about a folder that has no figures."""
    runs: list[Run] = []
    studies: list[Study] = []
    for folder in folders:
        if not folder.is_dir():
            raise BadInput(f"no such folder: {folder}; give folders of runs or of a study")
        cells = [_read_json(file) for file in sorted(folder.glob("cells/*/*/*/cell.json"))]
        if (folder / "study.json").is_file() or cells:
            about = folder / "study.json"
            studies.append(Study(folder, _read_json(about) if about.is_file() else {}, cells))
        found = [run for home in _homes(folder) for run in _read_run(home)]
        if not any(run.splits or run.history for run in found):
            raise BadInput(
                f"{folder} has no figures of a run: neither evaluation/*/answers.jsonl of test, "
                "nor summary.json or csv/version_*/metrics.csv of fit"
            )
        runs += [run for run in found if run.splits or run.history]
    return _named(_once(runs)), studies


def _homes(folder: Path, depth: int = DEEPEST) -> Iterator[Path]:
    """The folders of runs: the given one, or else those below it."""
    if _is_run(folder):
        yield folder
    elif depth:
        for child in sorted(path for path in folder.iterdir() if path.is_dir()):
            if not child.name.startswith("."):
                yield from _homes(child, depth - 1)


def _is_run(folder: Path) -> bool:
    if (folder / "cell.json").is_file() or answer_files(folder) or metric_files(folder):
        return True
    return bool(_results(folder)) or _summary(folder) is not None


def _results(folder: Path) -> list[Path]:
    """Folders with answers, the newest first."""
    below = [path for path in folder.glob("evaluation/*") if answer_files(path)]
    found = [folder] if answer_files(folder) else below
    return sorted(found, key=lambda path: (-answer_files(path)[0].stat().st_mtime, path))


def _summary(folder: Path) -> Mapping[str, Any] | None:
    """What fit measured before and after; other files of that name are none of ours."""
    file = folder / "summary.json"
    summary = _read_json(file) if file.is_file() else {}
    tasks = [summary.get("before") or {}, summary.get("after")]
    return summary if all(map(_has_tallies, tasks)) else None


def _has_tallies(tasks: object) -> bool:
    if not isinstance(tasks, dict) or not all(isinstance(each, dict) for each in tasks.values()):
        return False
    tallies = [tally for splits in tasks.values() for tally in splits.values()]
    return all(isinstance(tally, dict) and {"n", *MEASURES} <= tally.keys() for tally in tallies)


def _read_run(folder: Path) -> Iterator[Run]:
    cell = _read_json(folder / "cell.json") if (folder / "cell.json").is_file() else {}
    name, history = str(cell.get("paradigm", "")), read_history(folder)
    run = Run(name, folder, _seed(folder, cell), cell=cell, history=history)
    if cell:
        run = _with_share(run)
    results = _results(folder)
    if cell:
        # An earlier test was of weights that were not chosen, and one that goes on is not whole.
        results = results[: cell.get("state", "done") == "done"]
    for path in results:
        several = f" ({path.name})" if len(results) > 1 else ""
        yield replace(run, name=run.name + several, results=path, answers=read_answers(path))
    if not results and not cell:
        yield from _from_summary(run)
    elif not results:
        yield run


def _seed(folder: Path, cell: Mapping[str, Any]) -> int:
    named = _SEED.fullmatch(folder.name)
    return int(_number(folder, cell, "seed", int(named[1]) if named else 0))


def _number(folder: Path, cell: Mapping[str, Any], key: str, otherwise: float) -> float:
    value = cell.get(key, otherwise)
    if not isinstance(value, int | float):
        raise BadInput(f"{folder / 'cell.json'}: {key} is {value!r}, not a number")
    return value


def _with_share(run: Run) -> Run:
    """A cell with the share of the chains apart from the paradigm."""
    share = float(_number(run.folder, run.cell, "share", 1.0))
    if found := _SHARE.fullmatch(run.name):
        return replace(run, name=found[1], share=int(found[2]) / max(1, int(found[3])))
    return replace(run, share=share)


def _from_summary(run: Run) -> Iterator[Run]:
    """A run of fit whose answers were not kept: before and after."""
    summary = _summary(run.folder) or {}
    before, after = (_by_split(summary.get(time) or {}) for time in ("before", "after"))
    if before and after:
        yield replace(run, name=run.name + " before", tallies=before, history={})
    yield replace(run, tallies=after)


def _by_split(tasks: Mapping[str, Mapping[str, Tally]]) -> dict[str, Tally]:
    return {
        f"{task}/{name}": tally for task, splits in tasks.items() for name, tally in splits.items()
    }


def _once(runs: Iterable[Run]) -> list[Run]:
    """A folder that was given twice counts once."""
    return list({(run.folder.resolve(), run.results, run.name): run for run in runs}.values())


def _named(runs: list[Run]) -> list[Run]:
    """Runs that are no cells, named by as much of their folders as tells them apart."""
    own = {index: _labels(run) for index, run in enumerate(runs) if not run.cell}
    for length in range(1, max(map(len, own.values()), default=0) + 1):
        names = {index: "/".join(labels[-length:]) for index, labels in own.items()}
        named = [
            replace(run, name=names[index] + run.name) if index in names else run
            for index, run in enumerate(runs)
        ]
        if not _clash(named):
            return named
    return runs if not own else named


def _labels(run: Run) -> list[str]:
    """The parts of a folder's path that may name its row: neither its task nor its seed."""
    parts = [part for part in run.folder.resolve().parts if not _SEED.fullmatch(part)]
    return parts[:-1] if len(parts) > 1 and parts[-1] == run.task else parts


def _clash(runs: Sequence[Run]) -> bool:
    """Whether two runs would be the same seed of the same row."""
    taken: set[tuple[str, int, float, str]] = set()
    for run in runs:
        places = {(run.name, run.seed, run.share, split) for split in run.splits or {run.task}}
        if places & taken:
            return True
        taken |= places
    return False


def stored_lines(run: Run) -> Iterator[Line]:
    """A run's answers with their texts, read anew."""
    yield from run.lines
    for file in answer_files(run.results) if run.results else ():
        yield from read_lines(file)


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except ValueError as error:
        raise BadInput(f"{file} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise BadInput(f"{file} is not a JSON object")
    return content
