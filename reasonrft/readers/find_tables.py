"""From what the user names to files of rows: a file, a list of them, a folder, a saved data set."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reasonrft.readers import image_folder, tvr
from reasonrft.readers.base import DataError, Fault, RecordFault
from reasonrft.readers.dataset_info import Entry, entries, entry_of
from reasonrft.readers.rows import SUFFIXES, Rows, SideFile, numbered, read_rows
from reasonrft.readers.saved import (
    hub_rows,
    hub_splits,
    is_hub_name,
    is_saved,
    saved_rows,
    saved_splits,
)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one file, and what is known of them from outside."""

    file: Path
    name: str
    """What ids of records without id begin with."""
    rows: Rows
    root: Path
    columns: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    whole_split: bool = False
    """Whether the rows are a split, so that none of them needs to say so."""


def find_tables(source: str, image_root: str | None, split: str | None) -> Iterator[Table | Fault]:
    """All files of rows of a source."""
    path = Path(source)
    if path.is_dir() and is_saved(path):
        yield _saved_table(path, image_root, split)
    elif path.is_dir():
        yield from _folder_tables(path, image_root, split)
    elif path.exists():
        yield _file_table(path, image_root, path.stem)
    elif files := _list_of_files(source):
        yield from _listed_tables(files, image_root)
    elif is_hub_name(source) and not path.parent.exists():
        name, rows = hub_rows(source, split)
        yield Table(path, name, numbered(rows), _root(image_root, Path()), whole_split=True)
    else:
        raise DataError(f"no such file or folder: {source}")


def known_splits(source: str) -> list[str]:
    """The splits that a source is made of; none where it is one file or one list of records."""
    path = Path(source)
    if path.is_dir():
        if is_saved(path):
            return saved_splits(path)
        return image_folder.split_names(path, image_folder.metadata_files(path))
    return hub_splits(source) if is_hub_name(source) and not path.parent.exists() else []


def _saved_table(folder: Path, image_root: str | None, split: str | None) -> Table:
    name, rows = saved_rows(folder, split)
    return Table(folder, name, numbered(rows), _root(image_root, folder), whole_split=True)


def _list_of_files(source: str) -> list[Path]:
    """VLM-R1's lists: paths with ":" between them."""
    files = [Path(file) for file in source.split(os.pathsep)]
    return files if len(files) > 1 and all(file.exists() for file in files) else []


def _listed_tables(files: list[Path], image_root: str | None) -> Iterator[Table | Fault]:
    roots: list[str | None] = [*image_root.split(os.pathsep)] if image_root else [None]
    if len(roots) not in (1, len(files)):
        raise DataError(f"{len(files)} files need one image root or {len(files)}, not {len(roots)}")
    roots = roots * len(files) if len(roots) == 1 else roots
    for file, root in zip(files, roots, strict=True):
        yield from find_tables(str(file), root, None)


def _file_table(path: Path, image_root: str | None, name: str) -> Table | Fault:
    # CLEVR's archives keep questions/ beside images/.
    home = path.parent.parent if path.parent.name == "questions" else path.parent
    if image_folder.is_metadata(path):
        name = path.parent.resolve().name
    try:
        entry = entry_of(path) or Entry(path)
    except DataError:  # A broken dataset_info.json matters where it is what is read.
        entry = Entry(path)
    return _table(entry, _root(image_root, home), name)


def _folder_tables(
    folder: Path, image_root: str | None, split: str | None
) -> Iterator[Table | Fault]:
    root = _root(image_root, folder)
    info = folder / "dataset_info.json"
    if info.is_file():
        yield from (_table(entry, root, entry.name) for entry in entries(info))
        return
    if files := image_folder.metadata_files(folder):
        yield from _image_folder_tables(folder, files, image_root, split)
        return
    for pattern in ("*", "*/*"):
        any_table = False
        for table in _level(folder, pattern, root):
            any_table = True
            yield table
        if any_table:
            return
    raise DataError(f"{folder} holds no record files ({', '.join(SUFFIXES)})")


def _image_folder_tables(
    folder: Path, files: list[Path], image_root: str | None, split: str | None
) -> Iterator[Table | Fault]:
    splits = image_folder.split_names(folder, files)
    if len(splits) > 1 and split is None:
        raise DataError(f"{folder}: which split? It has {', '.join(splits)}; pass --split")
    if splits and split in splits:
        files = [file for file in files if file.parent.name == split]
    for file in files:
        home = file.parent
        own_split = home.name if splits else None
        yield _table(Entry(file), _root(image_root, home), home.resolve().name, split=own_split)


def _level(folder: Path, pattern: str, root: Path) -> Iterator[Table | Fault]:
    """Record files of one level; states that lie beside records are theirs, not records."""
    states, others = [], False
    for path in sorted(folder.glob(pattern)):
        if path.suffix not in SUFFIXES or path.name.startswith(".") or not path.is_file():
            continue
        name = path.relative_to(folder).with_suffix("").as_posix()
        try:
            first, table = _peek(_table(Entry(path), root, name, side_files=True))
        except SideFile:
            continue
        if tvr.FORMAT.matches(first):
            states.append((path, name))
            continue
        others = True
        yield table
    if not others:
        yield from (_table(Entry(path), root, name) for path, name in states)


def _peek(table: Table | Fault) -> tuple[object, Table | Fault]:
    if isinstance(table, Fault):
        return None, table
    first = next(table.rows, None)
    if first is None:
        return None, table
    rows = _chain(first, table.rows)
    return first[1], Table(table.file, table.name, rows, table.root)


def _chain(first: tuple[str, object], rest: Rows) -> Rows:
    yield first
    yield from rest


def _table(
    entry: Entry, root: Path, name: str, side_files: bool = False, split: str | None = None
) -> Table | Fault:
    try:
        if entry.fault:
            raise RecordFault("", entry.fault)
        rows = read_rows(entry.path)
        if image_folder.is_metadata(entry.path):
            rows = image_folder.named_rows(rows, split)
    except RecordFault as fault:
        return Fault(str(entry.path), "", "", fault.message)
    except SideFile as side:
        if side_files:
            raise
        return Fault(str(entry.path), "", "", f"holds {side.holds}, which go with records")
    return Table(entry.path, name, rows, root, entry.columns, entry.tags)


def _root(image_root: str | None, default: Path) -> Path:
    root = Path(image_root) if image_root else default
    if not root.is_dir():
        raise DataError(f"no such folder for images: {root}")
    return root.resolve()
