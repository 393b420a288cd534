"""Running the trials of a sweep, side by side and across interruptions."""

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from reasonrft.cli.child_runs import PATIENCE, ChildRun, ChildRuns
from reasonrft.durations import spoken
from reasonrft.errors import BadInput, printable
from reasonrft.sweeps.hparams import write_hparams
from reasonrft.sweeps.search import next_values
from reasonrft.sweeps.sweep_config import Sweep, combinations
from reasonrft.sweeps.trial_options import fit_arguments, told
from reasonrft.sweeps.trials import Run, Trial, new_trial, read_trials
from reasonrft.sweeps.validation_record import best_of, read_measured


class SweepRun:
    """Trials of a sweep that are done, under way, and to come."""

    def __init__(self, sweep: Sweep, jobs: int) -> None:
        self.sweep, self.jobs = sweep, jobs
        self.folder = sweep.folder
        self.metric = str(sweep.metric)
        self.trials = read_trials(self.folder)
        self.waiting = [trial for trial in self.trials if trial.state == "running"]
        self.total = total_trials(sweep)
        self.running: dict[ChildRun, tuple[Trial, Run]] = {}

    def go(self) -> list[Trial]:
        """Run what is left; all trials."""
        done = len(self.trials) - len(self.waiting)
        begun = f"{done} of {self.total} trials are done" if self.trials else f"{self.total} trials"
        how = f"{self.sweep.search}, by {self.metric} ({self.sweep.mode})"
        print(f"{begun}: {how}; logs: {self.folder}/trial-*", flush=True)
        with ChildRuns(self.jobs) as children:
            try:
                while self._fill(children):
                    for child in children.wait():
                        self._finish(children, child)
            finally:
                for child, (trial, run) in self.running.items():
                    run.seconds = round(run.seconds + child.seconds, 2)
                    trial.write(self.folder)
        return self.trials

    def _fill(self, children: ChildRuns) -> bool:
        """Start trials until so many run as may; whether any does."""
        while len(self.running) < self.jobs and (trial := self._next()):
            self._start(children, trial)
        return bool(self.running)

    def _next(self) -> Trial | None:
        """One that was begun, or a new one; both are on file before they run."""
        if self.waiting:
            return self.waiting.pop(0)
        numbers = {trial.number for trial in self.trials}
        number = next(n for n in range(1, len(numbers) + 2) if n not in numbers)
        values = next_values(self.sweep, self.trials, number)
        if values is None:
            return None
        trial = new_trial(self.folder, number, values, self.metric, self.sweep.seeds)
        trial.write(self.folder)
        self.trials = sorted([*self.trials, trial], key=lambda trial: trial.number)
        return trial

    def _start(self, children: ChildRuns, trial: Trial) -> None:
        """The trial's first run that has not ended well."""
        run = next((run for run in trial.runs if run.exit_code != 0), trial.runs[-1])
        _wait_for_end(Path(run.folder))
        child = children.start(fit_arguments(self.sweep, trial.values, run), Path(run.log))
        self.running[child] = (trial, run)

    def _finish(self, children: ChildRuns, child: ChildRun) -> None:
        trial, run = self.running.pop(child)
        run.exit_code = child.exit_code
        run.seconds = round(run.seconds + child.seconds, 2)
        fault = f"{child.last_words} ({run.log})" if run.exit_code else self.fault(run)
        if not fault and any(run.exit_code is None for run in trial.runs):
            trial.write(self.folder)
            self._start(children, trial)
            return
        self.close(trial, fault)

    def fault(self, run: Run) -> str:
        """Why a run that has ended well has no value; "" if it has one, which is noted."""
        measured = read_measured(Path(run.folder))
        best = best_of(measured, self.metric, self.sweep.mode)
        if best is not None:
            run.value, run.step = best
            return ""
        logged = sorted({name for metrics in measured.values() for name in metrics})
        if self.metric in logged:
            return f"{self.metric} was never a finite number ({run.log})"
        there = f"validation logged {', '.join(logged)}" if logged else "nothing was validated"
        fault = f"{self.metric} was never logged; {there}"
        if all(trial.state != "done" for trial in self.trials):
            raise BadInput(
                f"{fault} ({run.log}): remove {self.folder}, and choose another metric or validate "
                "more often"
            )
        return f"{fault} ({run.log})"

    def close(self, trial: Trial, fault: str) -> None:
        if fault:
            trial.state, trial.fault = "failed", fault
        else:
            values = [run.value for run in trial.runs if run.value is not None]
            trial.state, trial.value = "done", statistics.fmean(values)
            write_hparams(trial)
        trial.write(self.folder)
        print(printable(self._line(trial)), flush=True)

    def _line(self, trial: Trial) -> str:
        ended = [one for one in self.trials if one.state != "running"]
        outcome = f"failed: {trial.fault}"
        if trial.value is not None:
            steps = ", ".join(map(str, trial.steps))
            outcome = f"{trial.value:.4g} at step {steps}"
        done = [one for one in ended if one.state == "done"]
        mean = statistics.fmean(one.seconds for one in done or ended)
        left = mean * (self.total - len(ended)) / self.jobs
        place = f"trial {trial.number} ({len(ended)} of {self.total})"
        time = f"{spoken(trial.seconds)}, about {spoken(left)} left"
        return f"{place}: {told(trial.values)}: {outcome}; {time}"


def total_trials(sweep: Sweep) -> int:
    return sweep.trials or combinations(sweep.keys) or 0


def _wait_for_end(folder: Path) -> None:
    """Of a run that a killed sweep has left behind, and that saves its last step."""
    if not folder.is_dir():
        return
    try:
        with FileLock(folder / ".lock", timeout=PATIENCE):
            return
    except Timeout as error:
        raise BadInput(f"another run is training into {folder}: wait for its end") from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other sweeps out of this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise BadInput(
            f"another sweep is at work in {folder}: wait for its end, or give this one a --name"
        ) from error
