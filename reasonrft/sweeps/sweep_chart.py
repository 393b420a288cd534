"""Each swept key against the metric, drawn with matplotlib."""

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reasonrft.callbacks.curve_chart import COLOURS, COLUMNS, DPI, HEIGHT, WIDTH, style
from reasonrft.sweeps.sweep_config import Range, Sweep
from reasonrft.sweeps.trial_options import label
from reasonrft.sweeps.trials import Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_sweep(sweep: Sweep, trials: Sequence[Trial]) -> bytes:
    """A PNG with a panel for each key; the best trial stands out in all of them."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    done = [trial for trial in trials if trial.value is not None]
    best = (max if sweep.mode == "max" else min)(done, key=lambda trial: trial.value or 0.0)
    columns, lines = min(COLUMNS, len(sweep.keys)), math.ceil(len(sweep.keys) / COLUMNS)
    size = (columns * WIDTH, lines * HEIGHT)
    figure = Figure(figsize=size, dpi=DPI, facecolor="white", layout="constrained")
    cells = figure.subplots(lines, columns, sharey=True, squeeze=False).flatten()
    for axes, key in zip(cells, sweep.keys, strict=False):
        _draw(axes, key, sweep, done, best)
    for axes in cells[len(sweep.keys) :]:
        axes.remove()
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file)
    return file.getvalue()


def _draw(axes: "Axes", key: str, sweep: Sweep, done: Sequence[Trial], best: Trial) -> None:
    style(axes, key)
    axes.set_ylabel(str(sweep.metric).removeprefix("val/"))
    axes.tick_params(labelleft=True)
    places = _places(axes, sweep.keys[key], [trial.values[key] for trial in done])
    values = [trial.value or 0.0 for trial in done]
    axes.plot(places, values, "o", color=COLOURS[0], markersize=6, alpha=0.6)
    at = done.index(best)
    label = f"best: trial {best.number}"
    axes.plot([places[at]], [values[at]], "o", color=COLOURS[1], markersize=9, label=label)
    axes.legend(fontsize=9, framealpha=0.8)


def _places(axes: "Axes", choices: Sequence[Any] | Range, values: Sequence[Any]) -> list[float]:
    """Where values stand on the axis: numbers of a range as such, a list's in its order."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    if isinstance(choices, Range):
        if choices.log:
            axes.set_xscale("log")
            # Plain numbers, at steps that leave room for each other.
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        elif choices.whole:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        return list(values)
    axes.set_xticks(range(len(choices)), [label(choice).replace("$", r"\$") for choice in choices])
    axes.set_xlim(-0.5, len(choices) - 0.5)
    return [float(list(choices).index(value)) for value in values]
