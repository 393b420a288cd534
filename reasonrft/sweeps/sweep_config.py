"""What a sweep is, as its YAML says it."""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from reasonrft.cli.config_files import checked_config
from reasonrft.errors import BadInput

SEARCHES = ("grid", "random", "tpe")
GIVEN = {
    "config": "configs",
    "ckpt_path": "trials",
    "name": "name",
    "seed_everything": "seeds",
    "trainer.default_root_dir": "name",
    "trainer.logger": "trials",
    "trainer.enable_progress_bar": "trials",
    "trainer.limit_test_batches": "trials",
}
"""Keys that a sweep sets in each trial itself, with the key of its own that says what they are."""
# YAML reads 5e-5 as text, and numbers with a point as numbers.
_SCIENTIFIC = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")
_RANGE = ("low", "high", "log")


@dataclass(frozen=True)
class Range:
    """Any number between two, both included; whole ones where both are."""

    low: float
    high: float
    log: bool = False

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


Choices = Sequence[Any] | Range


@dataclass(frozen=True)
class Sweep:
    """A search over values of fit's keys."""

    name: str
    configs: Sequence[str]
    keys: Mapping[str, Choices]
    options: Mapping[str, Any]
    search: str = "grid"
    trials: int | None = None
    metric: str | None = None
    mode: str = "max"
    seeds: Sequence[int] = (0,)

    @property
    def folder(self) -> Path:
        return Path("outputs", "sweeps", self.name)


def read_sweep(
    file: str, name: str | None = None, options: Mapping[str, Any] | None = None
) -> Sweep:
    """The sweep of a YAML file; `BadInput` where it could not be run.

    Args:
        file: Found by its name, as fit's configs are.
        name: Of the sweep's folder; the file's without its ending if not given.
        options: More of fit's options for every trial, which win over those of the file.
    """
    path = checked_config(file)
    given = yaml.safe_load(path.read_text("utf-8"))
    known = [field.name for field in fields(Sweep)]
    for key in given:
        if key not in known:
            raise BadInput(f"{path}: a sweep has no key {key!r}{_near(str(key), known)}")
    try:
        return _checked(given, name or given.get("name") or path.stem, options or {})
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error


def _near(key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, 1, 0.6)
    return f"; did you mean {near[0]}?" if near else f"; it has {', '.join(known)}"


def _checked(given: Mapping[str, Any], name: str, options: Mapping[str, Any]) -> Sweep:
    search = given.get("search", "grid")
    if search not in SEARCHES:
        raise BadInput(f"search is {search}: use {', '.join(SEARCHES)}")
    if given.get("mode", "max") not in ("max", "min"):
        raise BadInput(f"mode is {given['mode']}: use max or min")
    keys = {key: _choices(key, value) for key, value in _mapping(given, "keys").items()}
    if not keys:
        raise BadInput("there are no keys: name what to vary, as {model.beta: [0.0, 0.04]}")
    fixed = {
        key: _number(value) for key, value in {**_mapping(given, "options"), **options}.items()
    }
    _check_names(keys, fixed)
    sweep = Sweep(
        name=str(name),
        configs=_texts(given.get("configs")),
        keys=keys,
        options=fixed,
        search=search,
        trials=_trials(given.get("trials"), search, keys),
        metric=given.get("metric"),
        mode=given.get("mode", "max"),
        seeds=_seeds(given.get("seeds", [0])),
    )
    check_metric(sweep.metric)
    return sweep


def _mapping(given: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = given.get(key) or {}
    if not isinstance(value, dict):
        raise BadInput(f"{key} must map keys of fit to values, as {{model.beta: ...}}")
    return value


def _texts(value: Any) -> list[str]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not listed or not all(isinstance(v, str) for v in listed):
        raise BadInput("configs must list the configs of fit, as [grpo.yaml]")
    return listed


def _seeds(value: Any) -> list[int]:
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(seed, int) and seed >= 0 for seed in value)
        or len(set(value)) < len(value)
    ):
        raise BadInput(f"seeds is {value}: give a list of different whole numbers, as [0, 1, 2]")
    return value


def _choices(key: str, value: Any) -> Choices:
    if isinstance(value, dict):
        return _range(key, value)
    if not isinstance(value, list) or not value:
        raise BadInput(
            f"keys.{key} must be a list of values, or a range as {{low: 0.001, high: 0.1}}"
        )
    values = [_number(item) for item in value]
    for place, item in enumerate(values):
        if item in values[:place]:
            raise BadInput(f"keys.{key} has {item} twice")
    return values


def _range(key: str, value: Mapping[str, Any]) -> Range:
    if unknown := [name for name in value if name not in _RANGE]:
        raise BadInput(f"keys.{key}: a range has no {unknown[0]!r}{_near(str(unknown[0]), _RANGE)}")
    low, high, log = _number(value.get("low")), _number(value.get("high")), value.get("log", False)
    for name, bound in {"low": low, "high": high}.items():
        if (
            isinstance(bound, bool)
            or not isinstance(bound, int | float)
            or not math.isfinite(bound)
        ):
            raise BadInput(
                f"keys.{key}: {name} is {bound}: a range goes from one number to another"
            )
    if low >= high:
        raise BadInput(f"keys.{key}: low is {low} and high {high}: low must be below high")
    if not isinstance(log, bool) or (log and low <= 0):
        raise BadInput(f"keys.{key}: log must be true or false, and true needs low above 0")
    return Range(low, high, log)


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, str) and _SCIENTIFIC.fullmatch(value) else value


def _check_names(keys: Mapping[str, Choices], options: Mapping[str, Any]) -> None:
    for key in [*keys, *options]:
        if key in GIVEN:
            raise BadInput(f"{key} is what the sweep gives each trial itself, by its {GIVEN[key]}")
    if twice := [key for key in keys if key in options]:
        raise BadInput(f"{twice[0]} is varied, and has a value in options too")


def _trials(trials: Any, search: str, keys: Mapping[str, Choices]) -> int | None:
    if search == "grid":
        if ranges := [key for key, choices in keys.items() if isinstance(choices, Range)]:
            raise BadInput(
                f"keys.{ranges[0]} is a range: a grid needs a list, random and tpe do not"
            )
        if trials is not None:
            raise BadInput("trials is for random and tpe: a grid has as many as its lists make")
        return None
    if isinstance(trials, bool) or not isinstance(trials, int) or trials < 1:
        raise BadInput(f"trials is {trials}: {search} needs their number, from 1")
    most = combinations(keys)
    if most is not None and trials > most:
        raise BadInput(f"trials is {trials}, and there are only {most} combinations: use a grid")
    return trials


def combinations(keys: Mapping[str, Choices]) -> int | None:
    """How many trials can differ; None where there is no end to them."""
    sizes = [
        (int(choices.high - choices.low) + 1 if choices.whole else math.inf)
        if isinstance(choices, Range)
        else len(choices)
        for choices in keys.values()
    ]
    total = math.prod(sizes)
    return None if total == math.inf else int(total)


def check_metric(metric: str | None) -> None:
    """A metric is one of validation, and not of a test split that validation answers too."""
    if metric is None:
        return
    words = str(metric).split("/")
    if words[0] != "val":
        raise BadInput(
            f"metric is {metric}: validation alone may choose, so use one that begins val/"
        )
    if len(words) > 3 and "val" not in words[1:-1]:
        raise BadInput(
            f"metric is {metric}, of the test split {'/'.join(words[2:-1])}: validation alone may "
            f"choose, so use val/{words[1]}/val/{words[-1]}, or leave it out"
        )
