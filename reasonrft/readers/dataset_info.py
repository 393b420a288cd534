"""LLaMA-Factory's dataset_info.json: which files a folder holds, and how their keys are called."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reasonrft.readers.base import DataError, RecordFault, short
from reasonrft.readers.rows import parse

INFO = "dataset_info.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """One data set of a folder."""

    path: Path
    name: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""
    """Why this data set cannot be read."""


def entries(info: Path) -> list[Entry]:
    """All data sets that a dataset_info.json lists."""
    listed = read_info(info)
    if not listed:
        raise DataError(f"{info} lists no data set")
    return [_entry(info, name, value) for name, value in listed.items()]


def entry_of(path: Path) -> Entry | None:
    """What the dataset_info.json beside a file says of it."""
    info = path.parent / INFO
    if not info.is_file() or info == path:
        return None
    listed = [entry for entry in entries(info) if entry.path == path and not entry.fault]
    return listed[0] if listed else None


def read_info(info: Path) -> dict[str, Any]:
    """The content of a dataset_info.json, or `DataError`."""
    try:
        content = parse(info.read_bytes())
    except (RecordFault, OSError) as error:
        raise DataError(f"{info} cannot be read: {getattr(error, 'message', error)}") from None
    if not isinstance(content, dict):
        raise DataError(f"{info} must be an object that names data sets, not {short(content)}")
    return content


def _entry(info: Path, name: str, value: Any) -> Entry:
    file = value.get("file_name") if isinstance(value, Mapping) else None
    if not isinstance(file, str) or not file:
        return Entry(info, name, fault=f"data set {name!r} names no file (file_name)")
    path = info.parent / file
    if value.get("formatting", "alpaca") != "sharegpt":
        return Entry(path, name, fault=f"data set {name!r} is not of formatting sharegpt")
    if not path.resolve().is_relative_to(info.parent.resolve()):
        return Entry(info, name, fault=f"data set {name!r} lies outside of {info.parent}")
    columns = {"messages": "conversations"} | _texts(value.get("columns"))
    wanted = ("messages", "images", "system")
    used = {key: text for key, text in columns.items() if key in wanted}
    return Entry(path, name, used, _texts(value.get("tags")))


def _texts(value: Any) -> dict[str, str]:
    pairs = value.items() if isinstance(value, Mapping) else ()
    return {key: text for key, text in pairs if isinstance(text, str)}
