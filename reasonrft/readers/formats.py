"""All formats, and finding out which one a file is in."""

from collections.abc import Mapping, Sequence
from typing import Any

from reasonrft.readers import (
    clevr,
    easyr1,
    plain,
    preference,
    r1v,
    reason_rft,
    sharegpt,
    trl,
    tvr,
    verl,
    vlmr1,
)
from reasonrft.readers.base import DataError, Format

# From the most particular to the most general: a row is read by the first that it matches.
FORMATS: tuple[Format, ...] = (
    tvr.FORMAT,
    clevr.FORMAT,
    preference.FORMAT,
    verl.FORMAT,
    trl.FORMAT,
    vlmr1.FORMAT,
    sharegpt.FORMAT,
    r1v.FORMAT,
    easyr1.FORMAT,
    reason_rft.FORMAT,
    plain.FORMAT,
)


def named_format(name: str) -> Format:
    """A format by its name."""
    for format in FORMATS:
        if format.name == name:
            return format
    raise DataError(f"no format {name!r}: use one of {format_names()}")


def detect(rows: Sequence[Any]) -> Format | None:
    """The format that a row matches, else the one with most keys in common, else None."""
    for row in rows:
        for format in FORMATS:
            if format.matches(row):
                return format
    objects = [row for row in rows if isinstance(row, Mapping)]
    kin = [max((format.kinship(row) for row in objects), default=0) for format in FORMATS]
    best = max(kin)
    return FORMATS[max(at for at, score in enumerate(kin) if score == best)] if best else None


def format_names() -> str:
    """The names of all formats, for messages."""
    return ", ".join(format.name for format in FORMATS)
