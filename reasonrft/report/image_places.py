"""Finding the images of answered questions: by the paths in the answers, or in the run's data."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from reasonrft.errors import BadInput
from reasonrft.problems import Problem
from reasonrft.report.found_runs import Run

Images = Sequence[Path | bytes]


class ImageFinder:
    """Remembers the problems of each run's data."""

    def __init__(self) -> None:
        self._problems: dict[tuple[Path, str], dict[str, Problem]] = {}

    def find(self, line: Mapping[str, Any]) -> tuple[Images, str]:
        """A question's images; or why they cannot be shown."""
        given = line.get("image") or []
        names = [given] if isinstance(given, str) else given
        run: Run = line["run"]
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            found = [_locate(Path(name), run.folder) for name in names]
            if all(path is not None for path in found):
                return [path for path in found if path is not None], ""
        problem = self._of(run, str(line["split"])).get(str(line.get("id", "")))
        if problem is not None and problem.images:
            return problem.images, ""
        if not names:
            return [], "" if problem is not None else "the answers name no image"
        return [], f"no image at {names[0] if isinstance(names, list) else names}"

    def _of(self, run: Run, split: str) -> dict[str, Problem]:
        key = (run.folder, split)
        if key not in self._problems:
            self._problems[key] = _problems_of(run, split)
        return self._problems[key]


def _locate(path: Path, home: Path) -> Path | None:
    """A file where its path says, or below this folder or one above the run's.

    A run may have been copied from a machine where it stood elsewhere.
    """
    if path.is_file():
        return path
    tails = [Path(*path.parts[at:]) for at in range(path.is_absolute(), len(path.parts) - 1)]
    bases = [Path.cwd(), *home.resolve().parents]
    return next((base / tail for tail in tails for base in bases if (base / tail).is_file()), None)


def _problems_of(run: Run, split: str) -> dict[str, Problem]:
    """The problems of a split by their ids, where the run's data is at hand."""
    for config in _configs(run.folder):
        try:
            content = yaml.safe_load(config.read_text("utf-8"))
            source = _source(content["data"]["init_args"]["source"])
            name = split.partition("/")[2]
            if source is not None and source.at_hand(name):
                return {problem.id: problem for problem in source.problems(name)}
        except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, BadInput, OSError):
            continue  # the page says that there is no image
    return {}


def _configs(folder: Path) -> Iterator[Path]:
    yield from folder.glob("run_config.yaml")
    yield from folder.glob("*/version_*/run_config.yaml")


def _source(given: Mapping[str, Any]) -> Any:
    """The source that a configuration names, if it is one of this package: data names no code."""
    from reasonrft.datamodules import problem_sources

    name = str(given["class_path"]).rpartition(".")[2]
    cls = {"DrawnProblems": problem_sources.DrawnProblems} | {
        "StoredProblems": problem_sources.StoredProblems
    }
    if name not in cls:
        return None
    accepted = set(inspect.signature(cls[name]).parameters)
    arguments = {key: value for key, value in given.get("init_args", {}).items() if key in accepted}
    return cls[name](**arguments)
