"""The table of a sweep, as Markdown and CSV, and its chart."""

import csv
import io
from collections.abc import Sequence

from reasonrft.evaluation.table_formats import Row, markdown_table
from reasonrft.files import Staging
from reasonrft.sweeps.sweep_chart import draw_sweep
from reasonrft.sweeps.sweep_config import Sweep
from reasonrft.sweeps.trial_options import label
from reasonrft.sweeps.trials import Trial


def ranked(trials: Sequence[Trial], mode: str) -> list[Trial]:
    """The best first; those without a value last."""
    sign = -1 if mode == "max" else 1

    def place(trial: Trial) -> tuple[bool, float, int]:
        value = trial.value
        return (value is None, 0.0 if value is None else sign * value, trial.number)

    return sorted(trials, key=place)


def rows(sweep: Sweep, trials: Sequence[Trial]) -> list[Row]:
    """Header and trials, the best first."""
    header = ["trial", str(sweep.metric), "step", *sweep.keys, "seconds", "state"]
    return [header] + [
        [
            str(trial.number),
            "" if trial.value is None else f"{trial.value:.4f}",
            " ".join(map(str, trial.steps)),
            *(label(trial.values[key]) for key in sweep.keys),
            f"{trial.seconds:.0f}",
            trial.state,
        ]
        for trial in ranked(trials, sweep.mode)
    ]


def as_csv(table: Sequence[Row]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(table)
    return file.getvalue()


def write_results(sweep: Sweep, trials: Sequence[Trial]) -> str:
    """Write sweep.md, sweep.csv and sweep.png; the table."""
    head, *lines = table = rows(sweep, trials)
    text = markdown_table(head, lines) + "\n"
    with Staging() as staging:
        staging.write(sweep.folder / "sweep.md", text.encode())
        staging.write(sweep.folder / "sweep.csv", as_csv(table).encode())
        if any(trial.value is not None for trial in trials):
            staging.write(sweep.folder / "sweep.png", draw_sweep(sweep, trials))
    return text
