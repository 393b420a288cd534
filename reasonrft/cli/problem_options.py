"""`--problems` and `--test-problems`: one's own data with any configuration."""

import inspect
import json
from collections.abc import Mapping, Sequence
from typing import Any

from reasonrft.cli.class_paths import import_class
from reasonrft.datamodules.own_problems import own_data
from reasonrft.errors import BadInput

FLAGS = {
    "--problems": "problems",
    "--test-problems": "test_problems",
    "--test_problems": "test_problems",
}
REPLACED = ("source", "watch", "val_splits")
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
    own = own_data(problems, tests)
    configured = (given.get("data") or {}).get("init_args") or {}
    given["data"] = {
        "class_path": own["class_path"],
        "init_args": {**own["init_args"], **_kept(configured, own["class_path"])},
    }


def _kept(configured: Mapping[str, Any], class_path: str) -> dict[str, Any]:
    """Arguments that go on to hold with other problems, such as the size of batches."""
    accepted = set(inspect.signature(import_class(class_path)).parameters) - set(REPLACED)
    return {name: value for name, value in configured.items() if name in accepted}
