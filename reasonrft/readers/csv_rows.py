"""Rows of CSV and TSV files, whose cells are all text."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from reasonrft.readers.base import RecordFault, short

LISTS = ("image", "images", "choices")
"""Columns whose cells may hold several values: as a JSON list, or with "|" between them."""


def csv_rows(path: Path) -> Iterator[tuple[str, Any]]:
    """Rows by the names in the first line; raises `RecordFault` where there are no such names."""
    file = path.open(encoding="utf-8-sig", newline="")
    try:
        reader = csv.reader(file, delimiter=_delimiter(file, path), strict=True)
        header = [name.strip() for name in next(reader)]
        _check_header(header)
    except (csv.Error, UnicodeDecodeError, RecordFault, StopIteration) as error:
        file.close()
        raise _fault(error) from None
    return _rows(file, reader, header)


def _delimiter(file: TextIO, path: Path) -> str:
    """The sign between cells: some spreadsheets write ";" or tabs into a .csv file."""
    first = file.readline()
    file.seek(0)
    if path.suffix == ".tsv":
        return "\t"
    return max(",;\t", key=first.count)


def _check_header(header: list[str]) -> None:
    if twice := [name for name in header if name and header.count(name) > 1]:
        raise RecordFault(twice[0], "is the name of two columns")


def _rows(file: TextIO, reader: Any, header: list[str]) -> Iterator[tuple[str, Any]]:
    number = 1
    with file:
        try:
            for cells in reader:
                if any(cells):
                    yield f"record {number}", _row(header, cells)
                    number += 1
        except (csv.Error, UnicodeDecodeError) as error:
            yield f"record {number}", _fault(error)


def _row(header: list[str], cells: list[str]) -> Any:
    if len(cells) > len(header):
        message = f"has {len(cells)} cells for {len(header)} columns: a text with the separator in"
        return RecordFault("", f"{message} it stands in double quotes")
    pairs = zip(header, cells, strict=False)
    try:
        return {name: _value(name, cell) for name, cell in pairs if name}
    except RecordFault as fault:
        return fault


def _value(name: str, cell: str) -> object:
    """A cell's text, its list, or None where it is empty."""
    if not cell.strip():
        return None
    if name not in LISTS:
        return cell
    if cell.lstrip().startswith("["):
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            raise RecordFault(name, f"is no JSON list: {short(cell)}") from None
    parts = [part.strip() for part in cell.split("|")]
    return parts if len(parts) > 1 else cell.strip()


def _fault(error: Exception) -> RecordFault:
    if isinstance(error, RecordFault):
        return error
    if isinstance(error, UnicodeDecodeError):
        return RecordFault("", "is not UTF-8 text: save it as CSV UTF-8")
    if isinstance(error, StopIteration):
        return RecordFault("", "is empty")
    return RecordFault("", f"is not valid CSV: {error}")
