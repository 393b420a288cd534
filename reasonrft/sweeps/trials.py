"""Trials of a sweep, each in a folder that says all of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from reasonrft.errors import BadInput
from reasonrft.files import Staging

State = Literal["running", "done", "failed"]
FILE = "trial.json"


@dataclass
class Run:
    """One fit of a trial."""

    seed: int
    folder: str
    log: str
    seconds: float = 0.0
    exit_code: int | None = None
    """None until it has ended by itself."""
    value: float | None = None
    """The best value of the metric along the run."""
    step: int | None = None
    """The step of that value."""


@dataclass
class Trial:
    """Values of a sweep's keys, and what they led to."""

    number: int
    values: Mapping[str, Any]
    metric: str
    runs: list[Run]
    state: State = "running"
    value: float | None = None
    """The mean of the runs' values."""
    fault: str = field(default="", kw_only=True)
    """Why it failed, in a sentence."""

    @property
    def seconds(self) -> float:
        return sum(run.seconds for run in self.runs)

    @property
    def steps(self) -> list[int]:
        return [run.step for run in self.runs if run.step is not None]

    def write(self, folder: Path) -> None:
        with Staging() as staging:
            content = json.dumps(asdict(self) | {"seconds": self.seconds}, indent=1)
            staging.write(trial_folder(folder, self.number) / FILE, content.encode())


def trial_folder(folder: Path, number: int) -> Path:
    return folder / f"trial-{number:03}"


def new_trial(
    folder: Path, number: int, values: Mapping[str, Any], metric: str, seeds: Sequence[int]
) -> Trial:
    """A trial with a run for each seed: of one, the trial's folder is the run's."""
    home = trial_folder(folder, number)
    runs = [
        Run(seed, str(run), str(run / "fit.log"))
        for seed in seeds
        for run in [home if len(seeds) == 1 else home / f"seed-{seed}"]
    ]
    return Trial(number, values, metric, runs)


def read_trials(folder: Path) -> list[Trial]:
    """All trials on file, by their numbers; the mean and the runs are as they were written."""
    return [_read(path) for path in sorted(folder.glob(f"trial-*/{FILE}"))]


def _read(path: Path) -> Trial:
    try:
        content = json.loads(path.read_text())
        content.pop("seconds")
        runs = [Run(**run) for run in content.pop("runs")]
        return Trial(runs=runs, **content)
    except (ValueError, TypeError, KeyError) as error:
        raise BadInput(f"{path} is no trial of a sweep ({error}): remove its folder") from error
