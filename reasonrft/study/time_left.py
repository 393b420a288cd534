"""How long the cells that are left will take, as those of the same paradigm took."""

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean

from reasonrft.study.cells import Cell

Same = Callable[[Cell, Cell], bool]
_LIKE: tuple[Same, ...] = (
    lambda one, other: one.task == other.task and one.row == other.row,
    lambda one, other: one.row == other.row,
    lambda one, other: one.paradigm == other.paradigm,
)
"""Which cells say how long another takes, those that are most like it first."""


def predicted(cell: Cell, done: Iterable[Cell]) -> float | None:
    """Seconds that a cell takes in all; None where nothing is known yet."""
    finished = [other for other in done if other.state == "done" and other.seconds]
    for alike in _LIKE:
        if known := [sum(o.seconds.values()) for o in finished if alike(cell, o)]:
            return fmean(known)
    return None


def seconds_left(cells: Sequence[Cell], spent: dict[str, float], jobs: int) -> float | None:
    """Seconds until all cells are done, if as many run side by side all the time.

    Args:
        cells: All cells.
        spent: Seconds that each of those under way has run, by its folder.
        jobs: Cells that run side by side.
    """
    left = 0.0
    for cell in cells:
        if cell.state in ("waiting", "running"):
            needs = predicted(cell, cells)
            if needs is None:
                return None
            already = sum(cell.seconds.values()) + cell.unfinished + spent.get(cell.folder, 0.0)
            left += max(0.0, needs - already)
    return left / jobs
