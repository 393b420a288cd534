"""Rows of text as tables, for a terminal, as Markdown and as CSV; cells may hold anything."""

import csv
import html
import io
from collections.abc import Iterable, Sequence

from reasonrft.errors import printable

Row = list[str]


def text_table(rows: Sequence[Row]) -> str:
    """Columns below each other: the first to the left, the others to the right."""
    rows = [list(map(printable, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_aligned(row, widths) for row in rows)


def _aligned(row: Row, widths: Sequence[int]) -> str:
    first, *rest = zip(row, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(to) for cell, to in rest)]).rstrip()


def markdown_table(head: Row, rows: Iterable[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(markdown_text, line)) + " |" for line in lines)


def markdown_text(text: str) -> str:
    """Text that Markdown shows as it is: no HTML, no code, no link or image, no further cell."""
    text = " ".join(text.split()).replace("\\", "\\\\")
    for mark in ("|", "`"):
        text = text.replace(mark, "\\" + mark)
    return html.escape(text.replace("](", "]\\(").replace("][", "]\\["), quote=False)


def csv_table(rows: Iterable[Sequence[object]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(map(_safe, row) for row in rows)
    return file.getvalue()


def _safe(cell: object) -> object:
    """Text that no spreadsheet takes for a formula; numbers stay numbers."""
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\r", " ")  # which csv does not put into quotes
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) else text
