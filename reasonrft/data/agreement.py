"""Deriving answers again from scene graphs and states that lie beside the records."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from reasonrft.oracles.count_questions import derive_count
from reasonrft.oracles.state_changes import (
    TransformationError,
    admissible,
    apply,
    differences,
    run,
)
from reasonrft.oracles.state_records import Sample, answer_of, read_sample
from reasonrft.problems import Problem
from reasonrft.readers import Record, RecordFault
from reasonrft.readers.rows import parse
from reasonrft.tasks import find_task
from reasonrft.trance_calls import read_calls

_HEAD = 65_536
_MARKS = (b'"scenes"', b'"states"', b'"transformations"')


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of images, by the stems of their file names."""

    scenes: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    samples: dict[tuple[str, str], Sample | ValueError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Derivation:
    """An answer derived again, or why it disagrees with the record."""

    key: str = ""
    disagreement: str = ""


class Deriver:
    """Derives answers again; looks at the files beside a record file once."""

    def __init__(self) -> None:
        self._evidence: dict[tuple[Path, Path], Evidence] = {}

    def __call__(self, record: Record) -> Derivation | None:
        """Derive a record's answer again, or None where there is nothing to derive it from."""
        problem = record.outcome
        if not isinstance(problem, Problem) or problem.task not in ("counting", "transformation"):
            return None
        evidence = self._beside(record)
        stems = [image.stem for image in problem.images if isinstance(image, Path)]
        if problem.task == "counting" and len(stems) == 1:
            return _count_again(problem, evidence.scenes.get(stems[0]))
        if problem.task == "transformation" and len(stems) == 2:
            return _transform_again(problem, evidence.samples.get((stems[0], stems[1])))
        return None

    def _beside(self, record: Record) -> Evidence:
        files = record.file, record.root
        if files not in self._evidence:
            self._evidence[files] = _gather(*files)
        return self._evidence[files]


def _count_again(problem: Problem, objects: list[Mapping[str, Any]] | None) -> Derivation | None:
    count = None if objects is None else derive_count(problem.question, objects)
    if count is None:
        return None
    if find_task("counting").agrees(str(count), problem):
        return Derivation()
    return Derivation("answer", f"the scene gives {count}, the record says {problem.answer}")


def _transform_again(problem: Problem, sample: Sample | ValueError | None) -> Derivation | None:
    if sample is None:
        return None
    if isinstance(sample, ValueError):
        return Derivation("answer", f"the states cannot be read: {sample}")
    try:
        wrong = differences(run(sample.initial, sample.transformations), sample.final)
    except TransformationError as error:
        return Derivation("answer", f"the states' own transformations are not possible: {error}")
    if wrong:
        item, name = wrong[0]
        message = f"the states' own transformations leave object {item} with another {name}"
        return Derivation("answer", message)
    if read_calls(problem.answer) != [change.call() for change in sample.transformations]:
        derived = answer_of(sample.transformations)
        return Derivation("answer", f"the states give {derived}, the record says {problem.answer}")
    return _compare_options(problem, sample)


def _compare_options(problem: Problem, sample: Sample) -> Derivation:
    """Options of a record must be ways that its images do not tell apart."""
    options = dict(problem.meta.get("options") or ())
    state = sample.initial
    for step, change in enumerate(sample.transformations):
        ways = {way.value for way in admissible(state, change)}
        if wrong := [value for value in options.get(step, ()) if value not in ways]:
            message = f"step {step} of the states does not admit {', '.join(wrong)}"
            return Derivation("options", message)
        state = apply(state, change)
    return Derivation()


def _gather(file: Path, root: Path) -> Evidence:
    evidence = Evidence()
    home = file if file.is_dir() else file.parent
    folders = [home, home / "scenes", root, root / "scenes"]
    if home.name == "questions":
        folders.append(home.parent / "scenes")
    for path in dict.fromkeys(path.resolve() for folder in folders for path in _side_files(folder)):
        try:
            content = parse(path.read_bytes())
        except RecordFault:  # Reading the folder itself reports this.
            continue
        # What lies nearer to the records counts, and comes first.
        evidence.scenes.update(dict(_scenes(content)) | evidence.scenes)
        evidence.samples.update(dict(_samples(content)) | evidence.samples)
    return evidence


def _side_files(folder: Path) -> Iterator[Path]:
    """JSON files that begin like scenes or states; records can be large, and stay unparsed."""
    for path in filter(Path.is_file, sorted(folder.glob("*.json"))):
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if any(mark in head for mark in _MARKS):
            yield path


def _scenes(content: Any) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    for scene in _objects(content.get("scenes") if isinstance(content, Mapping) else None):
        name, objects = scene.get("image_filename"), scene.get("objects")
        if isinstance(name, str) and isinstance(objects, list):
            yield PurePosixPath(name).stem, list(_objects(objects))


def _samples(content: Any) -> Iterator[tuple[tuple[str, str], Sample | ValueError]]:
    for row in _objects(content):
        states = list(_objects(row.get("states")))
        if len(states) < 2 or "transformations" not in row:
            continue
        sample = _sample(row)
        for first in _stems(states[0]):
            for last in _stems(states[-1]):
                yield (first, last), sample


def _sample(row: Mapping[str, Any]) -> Sample | ValueError:
    try:
        return read_sample(row)
    except ValueError as error:
        return error


def _stems(state: Mapping[str, Any]) -> list[str]:
    images = state.get("images")
    names = images.values() if isinstance(images, Mapping) else ()
    return [PurePosixPath(name).stem for name in names if isinstance(name, str)]


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    return (
        (item for item in value if isinstance(item, Mapping))
        if isinstance(value, list)
        else iter(())
    )
