"""Tables as rows of cells, for the page, Markdown and CSV alike, and figures as their text."""

from collections.abc import Sequence
from dataclasses import dataclass

from reasonrft.report.estimates import Estimate, Gap


@dataclass(frozen=True)
class Cell:
    """A figure, with what stands small beside it."""

    text: str
    note: str = ""
    marked: bool = False
    """Shown to stand out, such as a gap that is significant."""


@dataclass(frozen=True)
class Table:
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]


NONE = Cell("–")


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def bounds(found: Estimate | Gap, sign: str = "") -> str:
    low, high = (f"{100 * bound:{sign}.1f}".replace("-", "−") for bound in (found.low, found.high))
    return f"[{low}, {high}]"


def estimate_cell(found: Estimate | None) -> Cell:
    return NONE if found is None else Cell(percent(found.mean), bounds(found))


def p_text(p: float) -> str:
    return "< .001" if p < 0.001 else "1" if p > 0.9995 else f"{p:.3f}".removeprefix("0")


def count(figure: float) -> str:
    """A number that may be large, with three digits."""
    for size, name in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if figure >= size:
            return f"{figure / size:.3g} {name}"
    return f"{figure:,.0f}"
