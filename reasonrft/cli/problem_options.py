"""`--problems` and `--test-problems`: one's own data with any configuration."""

import inspect
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reasonrft.cli.class_paths import import_class
from reasonrft.datamodules.own_problems import own_data
from reasonrft.errors import BadInput

FLAGS = {
    "--problems": "problems",
    "--test-problems": "test_problems",
    "--test_problems": "test_problems",
}
SPLITS = ("train", "training", "test", "val", "data", "problems", "metadata")
"""Names of files that say nothing of what is in them."""
REPLACED = ("source", "val_splits")
"""Arguments of a datamodule that say which problems it has."""


def joined_flags(args: Sequence[str]) -> list[str]:
    """The arguments with each of the two flags once, holding all values that it was given."""
    kept: list[str] = []
    values: dict[str, list[str]] = {}
    rest = iter(args)
    for arg in rest:
        flag, equals, value = arg.partition("=")
        if flag not in FLAGS:
            kept.append(arg)
            continue
        if not equals:
            value = next(rest, "")
        if not value or value.startswith("--"):
            raise BadInput(f"{flag} needs a file, a folder or a hub name of problems")
        values.setdefault(FLAGS[flag], []).extend(_listed(value))
    return kept + [f"--{name}={json.dumps(given)}" for name, given in values.items()]


def _listed(value: str) -> list[str]:
    """Several values as a JSON list, one as it is."""
    if not value.startswith("["):
        return [value]
    try:
        return [str(item) for item in json.loads(value)]
    except ValueError as error:
        raise BadInput(f"{value} is no JSON list of files ({error})") from error


def as_list(value: str | Sequence[str] | None) -> list[str]:
    """A key's value in a configuration, where one file may stand alone."""
    return [value] if isinstance(value, str) else list(value or ())


def use_own_problems(given: dict[str, Any]) -> None:
    """Put the problems of one's own in the place of those that the configuration names.

    Args:
        given: A command's configuration without defaults.
    """
    problems, tests = as_list(given.get("problems")), as_list(given.get("test_problems"))
    if not problems and not tests:
        return
    own = _own_data(problems, tests)
    configured = (given.get("data") or {}).get("init_args") or {}
    given["data"] = {
        "class_path": own["class_path"],
        "init_args": {**own["init_args"], **_kept(configured, own["class_path"])},
    }


def _own_data(problems: Sequence[str], tests: Sequence[str]) -> dict[str, Any]:
    """The datamodule of these files: class_path and init_args."""
    if len(problems) < 2:
        return own_data(problems[0] if problems else None, tests)
    files = [own_data(problems[0], tests), *map(own_data, problems[1:])]
    classes = {file["class_path"] for file in files}
    names = [file_name(path) for path in problems]
    if len(set(names)) < len(names):
        names = [f"{name}-{number}" for number, name in enumerate(names, 1)]
    sources = [file["init_args"]["source"] for file in files]
    mixed = {
        "class_path": "reasonrft.datamodules.MixedProblems",
        "init_args": {"sources": dict(zip(names, sources, strict=True))},
    }
    common = classes.pop() if len(classes) == 1 else "reasonrft.datamodules.GeneralDataModule"
    return {"class_path": common, "init_args": {"source": mixed, "val_splits": None}}


def file_name(path: str) -> str:
    """What a file of problems is called: by its folder where it is a train.json."""
    file = Path(path.rstrip("/"))
    parent = Path(os.path.abspath(file)).parent.name
    return parent if file.stem in SPLITS and parent else file.stem


def _kept(configured: Mapping[str, Any], class_path: str) -> dict[str, Any]:
    """Arguments that go on to hold with other problems, such as the size of batches."""
    accepted = set(inspect.signature(import_class(class_path)).parameters) - set(REPLACED)
    return {name: value for name, value in configured.items() if name in accepted}
