"""Rows of Hugging Face data sets: saved to disk, or on the hub; images stay encoded."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from reasonrft.readers.base import DataError, short

_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` wrote this folder."""
    return (folder / "dataset_dict.json").is_file() or (
        (folder / "state.json").is_file() and (folder / "dataset_info.json").is_file()
    )


def is_hub_name(source: str) -> bool:
    """Whether a text could be the name of a data set on the hub."""
    return bool(_NAME.fullmatch(source)) and not source.endswith(
        (".json", ".jsonl", ".csv", ".tsv", ".parquet")
    )


def saved_rows(folder: Path, split: str | None) -> tuple[str, Iterator[Any]]:
    """Name of the split, and rows, of a data set that `save_to_disk` wrote."""
    from datasets import load_from_disk

    _check_inside(folder)
    try:
        data = load_from_disk(str(folder))
    except Exception as error:  # Arrow, JSON, missing files: whatever a damaged folder leads to
        raise DataError(f"{folder} cannot be read as a saved data set: {error}") from None
    return _rows(data, str(folder), split)


def _check_inside(folder: Path) -> None:
    """Refuse a saved data set whose own lists of splits and files lead out of it."""
    try:
        for listed in (folder / "dataset_dict.json", *folder.rglob("state.json")):
            content = json.loads(listed.read_text(encoding="utf-8")) if listed.is_file() else {}
            files = [file["filename"] for file in content.get("_data_files") or ()]
            for name in (*content.get("splits", ()), *files):
                if not (listed.parent / name).resolve().is_relative_to(folder.resolve()):
                    raise DataError(f"{listed} names {short(name)}, which lies outside of {folder}")
    except DataError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{folder} cannot be read as a saved data set: {error}") from None


def saved_splits(folder: Path) -> list[str]:
    """The splits that `save_to_disk` wrote side by side."""
    listed = folder / "dataset_dict.json"
    if not listed.is_file():
        return []
    try:
        return list(json.loads(listed.read_text(encoding="utf-8"))["splits"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{listed} does not list splits: {error}") from None


def hub_splits(name: str) -> list[str]:
    """The splits of a data set on the hub."""
    from datasets import get_dataset_split_names

    try:
        return [str(split) for split in get_dataset_split_names(name)]
    except Exception as error:  # no network, no such name, no access: each has an error of its own
        raise _not_to_be_had(name, error) from None


def hub_rows(name: str, split: str | None) -> tuple[str, Iterator[Any]]:
    """Name of the split, and rows, of a data set on the hub."""
    from datasets import load_dataset

    try:
        data = load_dataset(name, split=split)
    except Exception as error:  # no network, no such name, no access: each has an error of its own
        raise _not_to_be_had(name, error) from None
    return _rows(data, name, split)


def _not_to_be_had(name: str, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:200]
    message = f"no file or folder {name}, and not to be had from the Hugging Face hub"
    return DataError(f"{message}: {reason}")


def _rows(data: Any, name: str, split: str | None) -> tuple[str, Iterator[Any]]:
    from datasets import Dataset, DatasetDict

    if isinstance(data, DatasetDict):
        names = list(data)
        if split is None and len(names) == 1:
            split = names[0]
        if split not in names:
            asked = f"no split {split!r}" if split else "which split?"
            raise DataError(f"{name}: {asked} It has {', '.join(map(str, names))}; pass --split")
        data = data[split]
    elif isinstance(data, Dataset) and split and data.split and str(data.split) != split:
        raise DataError(f"{name}: no split {split!r}; it is the split {data.split}")
    return str(split or data.split or Path(name).name), _with_label_names(_undecoded(data))


def _with_label_names(data: Any) -> Iterator[Any]:
    """Rows whose class labels are the names that their numbers stand for."""
    from datasets import ClassLabel

    labels = {key: kind for key, kind in data.features.items() if isinstance(kind, ClassLabel)}
    for row in data:
        named = {
            key: kind.int2str(row[key])
            for key, kind in labels.items()
            if isinstance(row[key], int) and row[key] >= 0
        }
        yield row | named


def _undecoded(data: Any) -> Any:
    from datasets import Features

    return data.cast(Features({key: _encoded(value) for key, value in data.features.items()}))


def _encoded(feature: Any) -> Any:
    """The same feature with nothing decoded, however deep it stands.

    Decoding sound, video and the like would open whatever path or address a record names.
    """
    from datasets import LargeList, List

    if getattr(feature, "decode", False):
        return replace(feature, decode=False)
    if isinstance(feature, List):
        return List(_encoded(feature.feature), length=feature.length)
    if isinstance(feature, LargeList):
        return LargeList(_encoded(feature.feature))
    if isinstance(feature, dict):
        return {key: _encoded(value) for key, value in feature.items()}
    return feature
