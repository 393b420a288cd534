"""Reading a source record by record; whatever is wrong comes out as a Fault in its place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from reasonrft.problems import Problem
from reasonrft.readers.base import DataError, Fault, Format, RecordContext, RecordFault, short
from reasonrft.readers.find_tables import Table, find_tables
from reasonrft.readers.formats import detect, format_names, named_format
from reasonrft.tasks import find_task

COLUMNS = ("question", "problem", "answer", "image", "id", "cot", "choices")
"""Keys that `columns` may map."""

_NEEDED = ("question", "problem", "answer", "image", "messages")
_FIRST_ROWS = 20

KNOWN_FORMATS = (
    f"known are {format_names()}, of which plain needs a question and an answer in each record"
)


@dataclass(frozen=True, slots=True)
class Record:
    """What one record turned out to be, and where it stands."""

    file: Path
    name: str
    """Like "record 3"; empty where a whole file is at fault."""
    root: Path
    outcome: Problem | Fault

    def fault(self, key: str, message: str) -> Fault:
        """Something wrong with this record."""
        id = self.outcome.id if isinstance(self.outcome, Problem) else None
        return Fault(str(self.file), _named(self.name, id), key, message)


def load_problems(
    source: str | Path,
    format: str | None = None,
    task: str | None = None,
    image_root: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    split: str | None = None,
) -> list[Problem]:
    """All problems of a source, or `DataError` with all faults."""
    outcomes = list(read_problems(source, format, task, image_root, columns, split))
    if faults := tuple(fault for fault in outcomes if isinstance(fault, Fault)):
        raise DataError.of(source, faults)
    return [problem for problem in outcomes if isinstance(problem, Problem)]


def read_problems(
    source: str | Path,
    format: str | None = None,
    task: str | None = None,
    image_root: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    split: str | None = None,
) -> Iterator[Problem | Fault]:
    """Problems of a source in their order, and a Fault for each record that is none."""
    for record in read_records(source, format, task, image_root, columns, split):
        yield record.outcome


def read_records(
    source: str | Path,
    format: str | None = None,
    task: str | None = None,
    image_root: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    split: str | None = None,
) -> Iterator[Record]:
    """The same, with file and number of each record."""
    forced = named_format(format) if format else None
    if task:
        find_task(task)
    if strange := [key for key in columns or () if key not in COLUMNS]:
        raise DataError(f"columns can map {', '.join(COLUMNS)}, not {', '.join(strange)}")
    others: set[str] = set()
    any_record = False
    for table in find_tables(str(source), str(image_root) if image_root else None, split):
        for record in _table_records(table, forced, task, columns or {}):
            if other := _other_split(record, split, table):
                others.add(other)
                continue
            any_record = True
            yield record
    if split and not any_record:
        known = f"; its splits are {', '.join(sorted(others))}" if others else ""
        raise DataError(f"{source} has no record of split {split!r}{known}")


def _table_records(
    table: Table | Fault, format: Format | None, task: str | None, columns: Mapping[str, str]
) -> Iterator[Record]:
    if isinstance(table, Fault):
        yield Record(Path(table.file), "", Path(), table)
        return
    first = list(islice(table.rows, _FIRST_ROWS))
    renamed = {**table.columns, **columns}
    format = format or detect([_renamed_or_not(row, renamed) for _, row in first])
    problem = "" if first else "holds no records"
    if first and format is None and not all(isinstance(row, RecordFault) for _, row in first):
        problem = f"is in no known format; {KNOWN_FORMATS}"
    if problem:
        yield Record(table.file, "", table.root, Fault(str(table.file), "", "", problem))
        return
    for name, row in chain(first, table.rows):
        yield from _row_records(table, format, task, renamed, name, row)


def _row_records(
    table: Table,
    format: Format | None,
    task: str | None,
    columns: Mapping[str, str],
    name: str,
    row: Any,
) -> Iterator[Record]:
    number = int(name.rpartition(" ")[2])
    context = RecordContext(table.root, f"{table.name}-{number:06d}", task, table.tags)
    try:
        if isinstance(row, RecordFault):
            raise row
        row = _renamed(row, columns)
        if (format := format or detect([row])) is None:
            raise RecordFault("", f"is in no known format; {KNOWN_FORMATS}")
        for problem in format.problems(row, context):
            yield Record(table.file, name, table.root, problem)
    except RecordFault as error:
        id = row.get(columns.get("id", "id"), row.get("id")) if isinstance(row, Mapping) else None
        key = columns.get(error.key, error.key)
        fault = Fault(str(table.file), _named(name, id), key, error.message)
        yield Record(table.file, name, table.root, fault)


def _renamed(row: Any, columns: Mapping[str, str]) -> Any:
    """A row under our names; a column that should be there and is not is a fault."""
    if not columns or not isinstance(row, Mapping):
        return row
    for ours, theirs in columns.items():
        if theirs not in row and ours in _NEEDED:
            raise RecordFault(theirs, f"is missing; the record has {', '.join(map(str, row))}")
    rest = {key: value for key, value in row.items() if key not in columns.values()}
    for ours in columns:
        # A mapped image column takes the place of both of our names for it.
        for name in ("image", "images") if ours in ("image", "images") else (ours,):
            rest.pop(name, None)
    return rest | {ours: row[theirs] for ours, theirs in columns.items() if theirs in row}


def _renamed_or_not(row: Any, columns: Mapping[str, str]) -> Any:
    try:
        return _renamed(row, columns)
    except RecordFault:
        return row


def _other_split(record: Record, split: str | None, table: Table | Fault) -> str:
    """The split of a record that is not of the split asked for."""
    if split is None or isinstance(record.outcome, Fault) or isinstance(table, Fault):
        return ""
    if table.whole_split:
        return ""
    named = str(record.outcome.meta.get("split"))
    return named if named != split else ""


def _named(name: str, id: object) -> str:
    return f"{name} (id {short(id)})" if isinstance(id, str | int) and name else name
