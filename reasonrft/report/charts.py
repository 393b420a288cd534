"""Charts as PNGs, for a light ground and for a dark one, small enough to stand within a page."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from PIL import Image

from reasonrft.chart_style import COLOURS, chart_text, legend_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT, DPI = 4.8, 3.3, 140
"""Of a chart, in inches: small, so that its text can be read on a phone."""
FEW = 30
"""Points that have a marker each."""
_MARKERS = "osD^vP*X"
_DASHES = ("-", "--", "-.", ":")
_LABEL = 14


@dataclass(frozen=True)
class Theme:
    """Colours of everything but the series."""

    ground: str
    ink: str
    faint: str
    grid: str
    colours: tuple[str, ...] = COLOURS


LIGHT = Theme("#ffffff", "#1c2024", "#5b6370", "#e5e7eb")
# The same hues, the darker ones lightened.
DARK = Theme(
    "#1b1f24",
    "#e6e8eb",
    "#a3abb6",
    "#363c45",
    ("#4aa8e0", "#ef8340", "#2bc494", "#dd95be", "#e6ad3c", "#8fd0f2"),
)


@dataclass(frozen=True)
class Mark:
    """A value at a place on the horizontal axis, with what it may lie between."""

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True)
class Series:
    """What belongs to one row of the table."""

    name: str
    number: int
    """Of the row: gives colour, marker and dashes, the same in all charts."""
    marks: Sequence[Mark]


@dataclass(frozen=True)
class Chart:
    """One pair of axes."""

    name: str
    """Of its file."""
    title: str
    unit: str
    series: Sequence[Series]
    kind: Literal["bars", "curves", "shares"]
    across: str = ""
    """What the horizontal axis counts."""
    labels: Sequence[str] = ()
    """Of the places 0, 1, 2, ... of bars."""
    line: tuple[str, float] | None = None
    """A horizontal line to reach, with its name."""


def draw(chart: Chart, theme: Theme = LIGHT) -> bytes:
    """A PNG of 256 colours at most."""
    # Imported here, as only this needs it. No pyplot: its state is global, and somebody else's.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Long legends get room below the axes.
    rows = (len(chart.series) + bool(chart.line) + 1) // 2
    size = (WIDTH, HEIGHT + 0.2 * rows)
    figure = Figure(figsize=size, dpi=DPI, facecolor=theme.ground, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    _frame(axes, chart, theme)
    for position, series in enumerate(chart.series):
        _SERIES[chart.kind](axes, chart, series, position, theme)
    _finish(figure, axes, chart, theme)
    drawn, file = io.BytesIO(), io.BytesIO()
    canvas.print_png(drawn)
    image = Image.open(drawn).convert("RGB").quantize(48)
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def _frame(axes: "Axes", chart: Chart, theme: Theme) -> None:
    axes.set_facecolor(theme.ground)
    axes.set_title(chart_text(chart.title), loc="left", fontsize=11, color=theme.ink, wrap=True)
    axes.set_xlabel(chart_text(chart.across), color=theme.ink, fontsize=9)
    axes.set_ylabel(chart.unit, color=theme.ink, fontsize=9)
    axes.grid(color=theme.grid, axis="y" if chart.kind == "bars" else "both")
    axes.set_axisbelow(True)
    axes.tick_params(colors=theme.faint, labelsize=9)
    for side in axes.spines:
        axes.spines[side].set_color(theme.grid)
        axes.spines[side].set_visible(side in ("left", "bottom"))


def _bars(axes: "Axes", chart: Chart, series: Series, position: int, theme: Theme) -> None:
    width = 0.8 / len(chart.series)
    shift = (position + 0.5) * width - 0.4
    places = [mark.x + shift for mark in series.marks]
    heights = [mark.y for mark in series.marks]
    axes.bar(
        places,
        heights,
        0.9 * width,
        color=_colour(series, theme),
        hatch="////" if series.number >= len(COLOURS) else "",
        edgecolor=theme.ground,
        linewidth=0,
        label=legend_text(series.name),
    )
    below, above = _reach(series)
    axes.errorbar(places, heights, [below, above], fmt="none", ecolor=theme.ink, elinewidth=1)


def _curves(axes: "Axes", chart: Chart, series: Series, position: int, theme: Theme) -> None:
    x, y, low, high = zip(*((m.x, m.y, m.low, m.high) for m in series.marks), strict=True)
    colour = _colour(series, theme)
    axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(
        x,
        y,
        color=colour,
        linestyle=_dashes(series),
        linewidth=1.8,
        marker=_MARKERS[series.number % len(_MARKERS)] if len(x) <= FEW else None,
        markersize=4,
        label=legend_text(series.name),
    )


def _shares(axes: "Axes", chart: Chart, series: Series, position: int, theme: Theme) -> None:
    # Side by side, so that intervals do not hide each other.
    aside = 1.03 ** (position - (len(chart.series) - 1) / 2)
    places = [mark.x * aside for mark in series.marks]
    heights = [mark.y for mark in series.marks]
    axes.errorbar(
        places,
        heights,
        _reach(series),
        color=_colour(series, theme),
        linestyle=_dashes(series),
        marker=_MARKERS[series.number % len(_MARKERS)],
        capsize=3,
        label=legend_text(series.name),
    )


_SERIES = {"bars": _bars, "curves": _curves, "shares": _shares}


def _finish(figure: "Figure", axes: "Axes", chart: Chart, theme: Theme) -> None:
    if chart.line is not None:
        name, height = chart.line
        axes.axhline(height, color=theme.faint, linestyle=":", label=legend_text(name))
    if chart.labels:
        labels = [chart_text(_short(label)) for label in chart.labels]
        turned = sum(map(len, labels)) > 44
        axes.set_xticks(range(len(labels)), labels, rotation=30 if turned else 0)
        if turned:
            for label in axes.get_xticklabels():
                label.set_horizontalalignment("right")
    if chart.kind == "shares":
        places = sorted({mark.x for series in chart.series for mark in series.marks})
        axes.set_xscale("log", base=2)
        axes.set_xticks(places, [share_text(place) for place in places])
    if chart.unit == "%":
        axes.set_ylim(bottom=0)
    figure.legend(
        loc="outside lower left",
        ncols=2,
        fontsize=8.5,
        frameon=False,
        labelcolor=theme.ink,
    )


def share_text(share: float) -> str:
    """1/16, 1/4, all; others in %."""
    if share >= 1:
        return "all"
    parts = 1 / share
    return f"1/{parts:.0f}" if abs(parts - round(parts)) < 1e-6 else f"{100 * share:.3g} %"


def _reach(series: Series) -> tuple[list[float], list[float]]:
    """How far intervals go below values and above them."""
    below = [max(0.0, mark.y - mark.low) for mark in series.marks]
    return below, [max(0.0, mark.high - mark.y) for mark in series.marks]


def _colour(series: Series, theme: Theme) -> str:
    return theme.colours[series.number % len(theme.colours)]


def _dashes(series: Series) -> str:
    return _DASHES[series.number // len(COLOURS) % len(_DASHES)]


def _short(text: str) -> str:
    return text if len(text) <= _LABEL else text[: _LABEL - 1] + "…"
