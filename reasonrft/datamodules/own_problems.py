"""From files of one's own problems to the configuration of a datamodule, for the command line."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reasonrft.datamodules.base import TaskDataModule
from reasonrft.datamodules.problem_sources import StoredProblems
from reasonrft.datamodules.task_datamodules import (
    CountingDataModule,
    GeneralDataModule,
    GroundingDataModule,
    StructureDataModule,
    TransformationDataModule,
)
from reasonrft.errors import BadInput
from reasonrft.problems import Problem
from reasonrft.readers import DataError, Fault, known_splits, read_records
from reasonrft.readers.image_folder import is_metadata
from reasonrft.readers.rows import SUFFIXES

_VALIDATION = ("validation", "val", "valid", "dev", "eval")
# As the hub has them: train-00000-of-00002.parquet.
_SPLIT_FILE = re.compile(rf"(train|test|{'|'.join(_VALIDATION)})(?:-\d+-of-\d+)?")
_MODULES: tuple[type[TaskDataModule], ...] = (
    CountingDataModule,
    StructureDataModule,
    TransformationDataModule,
    GroundingDataModule,
)


def own_data(
    problems: str | None,
    test_problems: Sequence[str] = (),
    image_root: str | None = None,
    columns: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The datamodule for somebody's own problems, as class_path and init_args.

    Args:
        problems: File, folder, saved data set or hub name to train on.
        test_problems: The same for each test split, which is called as its file is.
        image_root: What paths of images are relative to, if not to their file.
        columns: What the data calls question, answer, image, id, cot or choices.
    """
    if problems is None and not test_problems:
        raise BadInput("name the file of your problems with --problems, or with --test-problems")
    source = _split_sources(problems, test_problems)
    source |= {"format": None, "image_root": image_root, "columns": columns}
    stored = StoredProblems(**source)
    read = [
        problem
        for name, location in stored.sources.items()
        for problem in _read(location, image_root, columns, stored.select.get(name))
    ]
    return {
        "class_path": _class_path(_module_for(read, problems or test_problems[0])),
        "init_args": {
            "source": {
                "class_path": _class_path(StoredProblems),
                "init_args": source | {"hold_out": None, "seed": 0},
            },
            # A configuration's own names are those of the data that it was written for.
            "val_splits": None,
        },
    }


def _read(
    location: str, image_root: str | None, columns: dict[str, str] | None, split: str | None
) -> list[Problem]:
    """All problems of a source, or `DataError` about its records and the images that are missing.

    Images are opened when they are encoded: a large data set would take too long here.
    """
    problems: list[Problem] = []
    faults: list[Fault] = []
    for record in read_records(location, None, None, image_root, columns, split):
        if isinstance(record.outcome, Fault):
            faults.append(record.outcome)
            continue
        problems.append(record.outcome)
        paths = [image for image in record.outcome.images if isinstance(image, Path)]
        missing = [path for path in paths if not path.is_file()]
        faults += [record.fault("image", f"no such file: {path}") for path in missing[:1]]
    if faults:
        raise DataError.of(location, faults)
    return problems


def _split_sources(problems: str | None, test_problems: Sequence[str]) -> dict[str, Any]:
    """train, val, tests and select of `StoredProblems`."""
    select: dict[str, str] = {}
    val: str | None = None
    tests = _named_tests(test_problems)
    for name, location in tests.items():
        if splits := known_splits(location):
            select[name] = _choose(location, splits, ("test",))
    files = _split_files(problems) if problems is not None else {}
    if "train" in files:
        val = next((files[split] for split in _VALIDATION if split in files), None)
        if not tests and "test" in files:
            tests = {"test": files["test"]}
        problems = files["train"]
    elif problems is not None and (splits := known_splits(problems)):
        select["train"] = _choose(problems, splits, ("train",))
        if held_out := [split for split in _VALIDATION if split in splits]:
            val, select["val"] = problems, held_out[0]
        if not tests and "test" in splits:
            tests, select["test"] = {"test": problems}, "test"
    return {"train": problems, "val": val, "tests": tests or None, "select": select or None}


def _split_files(location: str) -> dict[str, str]:
    """The files of a folder that are called as splits are, such as train.csv and test.csv."""
    folder = Path(location)
    if not folder.is_dir() or known_splits(location):
        return {}
    files: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*")):
        if path.suffix in SUFFIXES and (name := _SPLIT_FILE.fullmatch(path.stem)):
            files.setdefault(name[1], []).append(str(path))
    return {split: os.pathsep.join(paths) for split, paths in files.items()}


def _choose(location: str, splits: Sequence[str], wanted: Sequence[str]) -> str:
    """The split that is wanted, or the only one."""
    chosen = [split for split in splits if split in wanted or len(splits) == 1]
    if not chosen:
        raise BadInput(
            f"{location} has the splits {', '.join(splits)} and none called {' or '.join(wanted)}: "
            "name one in data.source.init_args.select"
        )
    return chosen[0]


def _named_tests(locations: Sequence[str]) -> dict[str, str]:
    """Test splits by the names of their files; folders tell files of one name apart."""
    stems = [_stem(location) for location in locations]
    named: dict[str, str] = {}
    for location, stem in zip(locations, stems, strict=True):
        clashes = stems.count(stem) > 1 or stem in ("train", "val")
        parent = Path(location).resolve().parent.name
        name = re.sub(r"[^\w.-]+", "-", f"{parent}-{stem}" if clashes else stem)
        if name in named:
            raise BadInput(f"{named[name]} and {location} would both be the test split {name!r}")
        named[name] = location
    return named


def _stem(location: str) -> str:
    path = Path(location)
    if is_metadata(path):
        path = path.resolve().parent
    return path.stem if path.is_file() else path.resolve().name


def _module_for(problems: Sequence[Problem], location: str) -> type[TaskDataModule]:
    """The datamodule of the one task that all problems have, else the general one."""
    tasks = Counter(problem.task for problem in problems)
    if len(tasks) > 1 and "transformation" in tasks:
        first = next(problem.id for problem in problems if problem.task == "transformation")
        raise BadInput(
            f"{location}: {tasks['transformation']:,} of {len(problems):,} answers are calls, as "
            f"of transformation (the first is that of {first!r}), and the others are not: name the "
            'task in the records, as in "task": "general"'
        )
    for module in _MODULES:
        if list(tasks) == [module.task_name]:
            counts = {len(problem.images) for problem in problems}
            return module if counts == {module.image_count} else GeneralDataModule
    return GeneralDataModule


def _class_path(cls: type) -> str:
    return f"reasonrft.datamodules.{cls.__name__}"
