"""Curves over steps as a PNG, drawn with matplotlib."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reasonrft.chart_style import COLOURS, SMOOTHED, Point, legend_text, smooth

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 2
"""Panels that stand side by side."""
WIDTH, HEIGHT, DPI = 5.6, 3.4, 100
"""Of a panel, in inches."""
_INK, _FAINT, _GRID = "#1c2024", "#6b7280", "#e5e7eb"


@dataclass(frozen=True)
class Curve:
    """Points in the order of their steps."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True)
class Panel:
    """Curves on the same axes."""

    title: str
    unit: str
    curves: Sequence[Curve]


def draw_chart(panels: Sequence[Panel]) -> bytes:
    """A PNG of all panels."""
    # Imported here, as only this needs it. No pyplot: its state is global, and somebody else's.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns, rows = min(COLUMNS, len(panels)), math.ceil(len(panels) / COLUMNS)
    size = (columns * WIDTH, rows * HEIGHT)
    figure = Figure(figsize=size, dpi=DPI, facecolor="white", layout="constrained")
    canvas = FigureCanvasAgg(figure)
    cells = figure.subplots(rows, columns, sharex=True, squeeze=False).flatten()
    for axes, panel in zip(cells, panels, strict=False):
        _draw(axes, panel)
    for axes in cells[len(panels) :]:
        axes.remove()
    if any(_is_smoothed(curve) for panel in panels for curve in panel.curves):
        note = "thin: each step; thick: mean over about a tenth of the run around it"
        figure.supxlabel(note, fontsize=8, color=_FAINT)
    file = io.BytesIO()
    canvas.print_png(file)
    return file.getvalue()


def _is_smoothed(curve: Curve) -> bool:
    return len(curve.points) >= SMOOTHED


def _draw(axes: "Axes", panel: Panel) -> None:
    from matplotlib.ticker import MaxNLocator

    style(axes, panel.title)
    axes.set_xlabel("step", color=_INK)
    axes.set_ylabel(panel.unit, color=_INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for number, curve in enumerate(panel.curves):
        _draw_curve(axes, curve, COLOURS[number % len(COLOURS)])
    if [curve.name for curve in panel.curves] != [panel.title.lower()]:
        axes.legend(fontsize=9, framealpha=0.8, edgecolor=_GRID, facecolor="white")


def style(axes: "Axes", title: str) -> None:
    """Axes as all charts of this package have them."""
    axes.set_facecolor("white")
    axes.set_title(title, loc="left", fontsize=12, color=_INK)
    axes.grid(color=_GRID)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_FAINT, labelbottom=True)
    for side in axes.spines:
        axes.spines[side].set_color(_GRID)
        axes.spines[side].set_visible(side in ("left", "bottom"))


def _draw_curve(axes: "Axes", curve: Curve, colour: str) -> None:
    label = legend_text(curve.name)
    if _is_smoothed(curve):
        axes.plot(*zip(*curve.points, strict=True), color=colour, linewidth=0.8, alpha=0.35)
        axes.plot(*zip(*smooth(curve.points), strict=True), color=colour, linewidth=2, label=label)
    else:
        axes.plot(*zip(*curve.points, strict=True), "o-", color=colour, markersize=4, label=label)
