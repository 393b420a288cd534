"""What the paper reports, from the data file beside this one."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class PublishedModel:
    """A line of the paper's table."""

    model: str
    paradigm: str
    """A study's name of it; "" for models that the paper only compares with."""
    accuracy: dict[tuple[str, str], float]
    """In %, by task and split; the split "average" is the paper's own average."""


@lru_cache
def published_models() -> tuple[PublishedModel, ...]:
    return tuple(_models(_content()))


def published_source() -> str:
    return str(_content()["source"])


def published_splits(task: str) -> list[str]:
    """The splits of a task that the paper has figures of, the average last."""
    return [column["split"] for column in _content()["columns"] if column["task"] == task]


@lru_cache
def _content() -> dict[str, Any]:
    return yaml.safe_load(Path(__file__).with_name("published.yaml").read_text("utf-8"))


def _models(content: dict[str, Any]) -> Iterator[PublishedModel]:
    places = [(column["task"], column["split"]) for column in content["columns"]]
    for line in content["models"]:
        accuracy = dict(zip(places, line["accuracy"], strict=True))
        yield PublishedModel(line["model"], line.get("paradigm", ""), accuracy)
