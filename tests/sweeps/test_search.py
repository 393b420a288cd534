"""Which values trials get: all of a grid, and of other searches the same however often killed."""

from collections.abc import Callable
from math import log

import pytest

from reasonrft.sweeps.search import STARTUP, grid, next_values
from reasonrft.sweeps.sweep_config import Range, Sweep
from reasonrft.sweeps.trials import Trial, new_trial, read_trials

LOSS = {"class_path": "DAPOLoss", "init_args": {"clip_high": 0.28}}
KEYS = {"lr": Range(1e-5, 1e-3, log=True), "size": Range(2, 5), "loss": ["GRPOLoss", LOSS]}


def sweep_of(search: str, trials: int | None = 12, keys=KEYS) -> Sweep:
    return Sweep("s", ["sft.yaml"], keys, {}, search, trials, "val/x", "max")


def play(
    sweep: Sweep, trials: list[Trial], folder, until: int = 99, value: Callable = lambda v: 0.0
) -> list[Trial]:
    """Trials as if they had run, some of them badly; each is on file."""
    while len(trials) < until and (values := next_values(sweep, trials, len(trials) + 1)):
        trial = new_trial(folder, len(trials) + 1, values, "val/x", [0])
        trial.state = "failed" if trial.number == 3 else "done"
        trial.value = None if trial.state == "failed" else value(values)
        trial.write(folder)
        trials.append(trial)
    return trials


def peak(values) -> float:
    """Greatest at a learning rate of 1e-4."""
    return -abs(log(values["lr"] / 1e-4))


def test_a_grid_is_all_combinations_in_order(tmp_path):
    sweep = sweep_of("grid", None, {"a": [1, 2], "b": ["x", LOSS]})
    combinations = [
        {"a": 1, "b": "x"},
        {"a": 1, "b": LOSS},
        {"a": 2, "b": "x"},
        {"a": 2, "b": LOSS},
    ]
    assert grid(sweep.keys) == combinations
    trials = play(sweep, [], tmp_path)
    assert [trial.values for trial in trials] == combinations
    more = sweep_of("grid", None, {"a": [0, 1, 2], "b": ["x", LOSS]})
    assert [t.values["a"] for t in play(more, trials, tmp_path)[4:]] == [0, 0]


@pytest.mark.parametrize("search", ["random", "tpe"])
def test_a_search_that_was_killed_goes_on_as_it_would_have(search, tmp_path):
    sweep = sweep_of(search)
    whole = play(sweep, [], tmp_path / "whole", value=peak)
    assert len(whole) == 12
    play(sweep, [], tmp_path / "killed", until=8, value=peak)
    resumed = play(sweep, read_trials(tmp_path / "killed"), tmp_path / "killed", value=peak)
    assert [trial.values for trial in resumed] == [trial.values for trial in whole]
    assert len({str(trial.values) for trial in whole}) == 12
    for trial in whole:
        assert all(trial.values[key] in choices for key, choices in KEYS.items()), trial.values
        assert isinstance(trial.values["size"], int)
        assert trial.values["lr"] == float(f"{trial.values['lr']:.3g}")


def test_tpe_learns_from_trials_that_are_done(tmp_path):
    sweep = sweep_of("tpe")
    rise = play(sweep, [], tmp_path, value=lambda values: values["lr"])
    fall = play(sweep, [], tmp_path, value=lambda values: -values["lr"])
    first, last = STARTUP + 1, len(rise)  # one of those has failed
    assert [t.values for t in rise[:first]] == [t.values for t in fall[:first]]
    mean_rise, mean_fall = (
        sum(log(trial.values["lr"]) for trial in trials[first:last]) for trials in (rise, fall)
    )
    assert mean_rise > mean_fall


def test_all_combinations_are_found_at_random(tmp_path):
    keys = {"a": [1, 2, 3], "b": Range(1, 3)}
    trials = play(sweep_of("random", 9, keys), [], tmp_path)
    assert len({str(trial.values) for trial in trials}) == 9


def test_trials_that_run_are_kept_away_from(tmp_path):
    sweep = sweep_of("tpe")
    trials = play(sweep, [], tmp_path, until=8, value=peak)
    running = new_trial(tmp_path, 9, next_values(sweep, trials, 9) or {}, "val/x", [0])
    beside = next_values(sweep, [*trials, running], 10)
    assert beside and beside != running.values
