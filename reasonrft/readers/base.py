"""What all readers share: what a format is, where a record stands, what can be wrong with it."""

import difflib
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reasonrft.errors import BadInput, printable
from reasonrft.problems import Problem

Row = Mapping[str, Any]

_SHOWN, _NAMED = 20, 3
_VALUE = re.compile(r"'[^']*'|\"[^\"]*\"|[^\s(]*/[^\s)]*|\S*\d\S*|(?<=this one has ).*")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a data set."""

    file: str
    record: str
    """Like "record 3 (id 'x')"; empty where the whole file is at fault."""
    key: str
    message: str

    def __str__(self) -> str:
        key = f"key {self.key!r}" if self.key else ""
        where = ", ".join(text for text in (self.file, self.record, key) if text)
        return one_line(f"{where}: {self.message}")


class RecordFault(ValueError):
    """What a reader raises about one record; whoever drives it adds file and number."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}")
        self.key = key
        self.message = message


class DataError(BadInput):
    """A data set that cannot be used as asked, with all faults that were found."""

    def __init__(self, message: str, faults: tuple[Fault, ...] = ()) -> None:
        lines = fault_lines(faults)
        more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        super().__init__("\n".join([message, *lines[:_SHOWN], *more]))
        self.faults = faults

    @classmethod
    def of(cls, source: object, faults: Sequence[Fault]) -> "DataError":
        """All that is wrong with a source."""
        plural = "" if len(faults) == 1 else "s"
        return cls(f"{source} has {len(faults):,} fault{plural}", tuple(faults))


@dataclass(slots=True)
class _Alike:
    """Faults of one kind in one file: how many, and the first of them."""

    first: Fault
    count: int = 0
    records: list[str] = field(default_factory=list)
    same: bool = True
    """Whether all of them say the same, to the letter."""

    def add(self, fault: Fault) -> None:
        self.count += 1
        self.same &= fault.message == self.first.message
        if len(self.records) < _NAMED:
            self.records.append(fault.record)

    def __str__(self) -> str:
        if self.count <= 1:
            return str(self.first)
        more = f" and {self.count - _NAMED:,} more" if self.count > _NAMED else ""
        records = f"{self.count:,} records: {', '.join(self.records)}{more}"
        message = self.first.message if self.same else f"the first: {self.first.message}"
        return str(Fault(self.first.file, records, self.first.key, message))


def fault_lines(faults: Iterable[Fault]) -> list[str]:
    """A line for each kind of fault, with how many records have it and the first three of them."""
    kinds: dict[tuple[str, str, str], _Alike] = {}
    for fault in faults:
        # Values and names differ from record to record; the words between them do not.
        kind = (fault.file, fault.key, _VALUE.sub("_", fault.message))
        kinds.setdefault(kind, _Alike(fault)).add(fault)
    return [str(alike) for alike in kinds.values()]


@dataclass(frozen=True, slots=True)
class RecordContext:
    """Where a record stands, and what is known of it beyond its own keys."""

    root: Path
    """What its images are relative to, resolved."""
    id: str = "record"
    """For a record without an id."""
    task: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    """LLaMA-Factory's names of roles and of the keys of a message."""


@dataclass(frozen=True, slots=True)
class Format:
    """How other people write records."""

    name: str
    needs: tuple[tuple[str, ...], ...]
    """Keys that a record must have; each entry lists alternatives."""
    knows: tuple[str, ...]
    """Keys that a record may have."""
    read: Callable[[Row, RecordContext], list[Problem]]

    def matches(self, row: Any) -> bool:
        """Whether a row has every key that this format needs."""
        return isinstance(row, Mapping) and all(
            any(row.get(key) is not None for key in keys) for keys in self.needs
        )

    def kinship(self, row: Row) -> float:
        """How many of a row's keys are keys of this format, or nearly so."""
        known = [*self.knows, *(key for keys in self.needs for key in keys)]
        keys = [key for key in row if isinstance(key, str)]
        close = [key for key in keys if difflib.get_close_matches(key, known, 1, 0.8)]
        return len(close)

    def problems(self, row: Any, context: RecordContext) -> list[Problem]:
        """Read a row, or raise `RecordFault`."""
        if not isinstance(row, Mapping):
            raise RecordFault("", f"is not an object with keys but {short(row)}")
        for keys in self.needs:
            if all(row.get(key) is None for key in keys):
                raise missing(row, keys, self.name)
        return self.read(row, context)


def missing(row: Row, keys: tuple[str, ...], name: str) -> RecordFault:
    """The fault of a record that has none of these keys."""
    if empty := [key for key in keys if key in row]:
        return RecordFault(empty[0], "is null; a value is needed")
    wanted = keys[0] if len(keys) == 1 else f"{keys[0]} (or {', '.join(keys[1:])})"
    for key in map(str, row):
        if meant := difflib.get_close_matches(key.lower(), keys, 1, 0.75):
            message = f"is not read; did you mean {meant[0]}? A {name} record needs {wanted}"
            return RecordFault(key, message)
    there = ", ".join(map(str, row)) or "no keys"
    return RecordFault(
        keys[0], f"a {name} record needs {wanted}; this one has {there}; name others with columns"
    )


def short(value: object) -> str:
    """A value as a message can quote it."""
    return _REPR.repr(value)


def one_line(text: str) -> str:
    """Text for a terminal: no line breaks, no control characters, no half characters."""
    return printable(" ".join(text.split()))


_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80
