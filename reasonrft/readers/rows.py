"""Rows of one file: JSON, JSON lines, CSV, parquet, and what people have instead of them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from reasonrft.readers.base import RecordFault
from reasonrft.readers.csv_rows import csv_rows
from reasonrft.readers.formats import FORMATS

Rows = Iterator[tuple[str, Any]]
"""Names like "record 3" or "line 3" with their rows; an unreadable row is a `RecordFault`."""

SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")

_HEAD = 4096


@dataclass(frozen=True, slots=True)
class SideFile(Exception):
    """A file that goes with records and holds none itself."""

    holds: str


def read_rows(path: Path) -> Rows:
    """Rows of a file; raises `RecordFault` without key, or `SideFile`, if it has none."""
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise RecordFault("", "is not a file")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise RecordFault("", f"cannot be read ({error.strerror or error})") from None
    _refuse(head)
    if head.startswith(b"PAR1"):
        return _parquet_rows(path)
    if path.suffix == ".parquet":
        raise RecordFault("", "is not a parquet file")
    if path.suffix in (".csv", ".tsv"):
        return csv_rows(path)
    if path.suffix in (".jsonl", ".ndjson") and not _is_list(head):
        return _line_rows(path)
    return _json_rows(path)


def parse(data: bytes) -> Any:
    """JSON, or `RecordFault` that says what is there instead."""
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RecordFault("", f"is not UTF-8 text (byte {error.start:,})") from None
    except json.JSONDecodeError as error:
        cut = " (it ends too early)" if error.pos >= len(error.doc.rstrip()) else ""
        what = f"{error.msg} at line {error.lineno}, column {error.colno}{cut}"
        raise RecordFault("", f"is not valid JSON: {what}") from error
    except RecursionError:
        raise RecordFault("", "is nested too deeply to be read") from None
    except ValueError as error:  # Python refuses integers of more than 4300 digits.
        raise RecordFault("", f"is not readable JSON: {error}") from None


def _is_list(head: bytes) -> bool:
    """Whether a list of objects begins here, whatever the file is called."""
    return b"".join(head.removeprefix(b"\xef\xbb\xbf").split())[:2] == b"[{"


def _refuse(head: bytes) -> None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    lower = start[:_HEAD].lower()
    if not start:
        raise RecordFault("", "is empty")
    if start.startswith(b"version https://git-lfs"):
        raise RecordFault("", "is a git-LFS pointer, not the file itself: run git lfs pull")
    if lower.startswith((b"<!doctype", b"<html", b"<head", b"<?xml")) or b"<html" in lower[:512]:
        raise RecordFault("", "is a web page (HTML), not data: the download went wrong")
    if start.startswith((b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"BZh", b"\xfd7zXZ")):
        raise RecordFault("", "is a packed archive: unpack it first")


def _json_rows(path: Path) -> Rows:
    data = path.read_bytes()
    try:
        content = parse(data)
    except RecordFault as fault:
        if _looks_like_lines(data, fault.__cause__):
            return _line_rows(path)
        raise
    return numbered(_records(content))


def _looks_like_lines(data: bytes, error: BaseException | None) -> bool:
    """Whether JSON lines stand in a file called .json: its first line is an object of its own."""
    extra = isinstance(error, json.JSONDecodeError) and error.msg == "Extra data"
    first = data.lstrip().split(b"\n", 1)[0].strip()
    return extra and first.startswith((b"{", b"\xef\xbb\xbf{")) and first.endswith(b"}")


def _records(content: Any) -> Iterator[Any]:
    if kind := _side(content):
        raise SideFile(kind)
    if isinstance(content, list):
        return iter(content)
    if not isinstance(content, Mapping):
        raise RecordFault("", "holds no records: a list of objects is needed")
    return _mapped_records(content)


def _mapped_records(content: Mapping[str, Any]) -> Iterator[Any]:
    if any(format.matches(content) for format in FORMATS):
        return iter([content])
    lists = {
        key: value
        for key, value in content.items()
        if isinstance(value, list) and value and isinstance(value[0], Mapping)
    }
    if len(lists) > 1:
        raise RecordFault("", f"holds several lists ({', '.join(lists)}): one per file is read")
    if lists:
        return iter(next(iter(lists.values())))
    if content and all(isinstance(value, Mapping) for value in content.values()):
        return ({"id": key, **value} for key, value in content.items())
    raise RecordFault("", "holds neither a list of records nor records by id")


def _side(content: Any) -> str:
    if isinstance(content, Mapping) and isinstance(content.get("scenes"), list):
        return "scene graphs"
    first = content[0] if isinstance(content, list) and content else content
    forms = {"construction_cdl", "diagram_logic_form", "diagram_logic_forms", "text_logic_form"}
    if isinstance(first, Mapping) and "problem" not in first and forms & first.keys():
        return "logic forms"
    return ""


def _line_rows(path: Path) -> Rows:
    with path.open("rb") as file:
        yield from _lines(file)


def _lines(file: BinaryIO) -> Rows:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            yield f"line {number}", parse(line)
        except RecordFault as fault:
            yield f"line {number}", fault


def numbered(rows: Iterator[Any]) -> Rows:
    """Rows with their numbers, from 1."""
    return ((f"record {number}", row) for number, row in enumerate(rows, 1))


def _parquet_rows(path: Path) -> Rows:
    import pyarrow
    import pyarrow.parquet

    number = count(1)
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=256):
                for row in batch.to_pylist():
                    yield f"record {next(number)}", row
    except (pyarrow.ArrowException, OSError) as error:
        yield f"record {next(number)}", RecordFault("", f"the parquet file is damaged: {error}")
