"""Hugging Face's ImageFolder: images, and a metadata file that names them by `file_name`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

METADATA = ("metadata.jsonl", "metadata.csv", "metadata.parquet")

_SPLITS = {"train", "test", "val", "valid", "validation", "dev", "eval"}
_NAMES = {
    "file_name": "image",
    "file_names": "images",
    "image_file_name": "image",
    "images_file_names": "images",
}


def metadata_files(folder: Path) -> list[Path]:
    """The metadata of a folder of images, or of its sub-folders; in each the first that is there.

    Sub-folders are splits: train, test, validation.
    """
    for folders in ([folder], sorted(path for path in folder.glob("*") if path.is_dir())):
        files = [file for home in folders if (file := _metadata_file(home))]
        if files:
            return files
    return []


def is_metadata(path: Path) -> bool:
    return path.name in METADATA


def split_names(folder: Path, files: list[Path]) -> list[str]:
    """The splits of an ImageFolder: its sub-folders, where they have the names of splits."""
    names = [file.parent.name for file in files if file.parent != folder]
    return names if _SPLITS & {*names} else []


def named_rows(
    rows: Iterator[tuple[str, Any]], split: str | None = None
) -> Iterator[tuple[str, Any]]:
    """Rows whose images have our names for them, and whose split is that of their folder."""
    for name, row in rows:
        yield name, _named(row, split) if isinstance(row, Mapping) else row


def _named(row: Mapping[str, Any], split: str | None) -> dict[str, Any]:
    named = {_NAMES.get(key, key): value for key, value in row.items()}
    return named if split is None or "split" in named else {**named, "split": split}


def _metadata_file(folder: Path) -> Path | None:
    return next((folder / name for name in METADATA if (folder / name).is_file()), None)
