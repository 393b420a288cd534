"""Sweeps of real fits: told to end, killed, gone on with, and with trials that fail."""

import json
import os
import signal
from pathlib import Path

import pytest
import yaml
from filelock import FileLock
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from reasonrft.cli import main
from reasonrft.errors import BadInput
from reasonrft.sweeps.run_sweep import SweepRun
from reasonrft.sweeps.sweep_config import Sweep
from reasonrft.sweeps.trials import new_trial, read_trials
from reasonrft.sweeps.validation_record import read_measured, write_measured
from tests.starting import Started

pytestmark = pytest.mark.filterwarnings("ignore")

METRIC = "val/counting/val/tokens"
OPTIONS = {
    "policy": "tiny-counting",
    "data.source.train": 8,
    "data.source.val": 4,
    "data.source.test": 2,
    "data.source.workers": 1,
    "data.batch_size": 2,
    "model.answer_tokens": 150,
    "trainer.accelerator": "cpu",
    "trainer.max_steps": 3,
    "trainer.val_check_interval": 1,
    "trainer.check_val_every_n_epoch": None,
}


def write_sweep(home: Path, data: Path) -> list[str]:
    """A grid of one trial that goes well and one that fails, and its command."""
    config = {
        "configs": ["sft.yaml"],
        "options": OPTIONS | {"data.source.folder": str(data)},
        "metric": METRIC,
        "mode": "min",
        "keys": {"data.skip": [0, 100], "model.optimizer.lr": [1e-3]},
    }
    (home / "one.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return ["sweep", "--config", "one.yaml"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[Path, str]:
    """The folder of a sweep that nothing disturbs, and what it printed."""
    home = tmp_path_factory.mktemp("whole")
    command = write_sweep(home, tmp_path_factory.getbasetemp() / "drawn-for-sweeps")
    with Started([*command, "--jobs", "2"], home) as started:
        code, said = started.end()
    assert code == 1, said  # a trial has failed
    return home / "outputs/sweeps/one", started.printed.read_text()


def outcomes(folder: Path) -> list[tuple]:
    """All of a sweep's trials but how long they took."""
    return [
        (trial.number, trial.values, trial.state, trial.value, trial.steps)
        for trial in read_trials(folder)
    ]


def test_the_best_trial_stands_first_and_one_that_failed_is_said(whole):
    folder, printed = whole
    good, bad = read_trials(folder)
    assert good.state == "done" and bad.state == "failed" and bad.value is None
    measured = read_measured(folder / "trial-001")
    assert sorted(measured) == [1, 2, 3]
    values = [metrics[METRIC] for metrics in measured.values()]
    assert good.value == min(values) and good.steps == [values.index(min(values)) + 1]
    log = "outputs/sweeps/one/trial-002/fit.log"
    assert "failed: split train has no problems but the 100 that are skipped" in printed
    assert f"({log})" in printed and "trial 2 (" in printed
    table = (folder / "sweep.md").read_text()
    assert table in printed and table.splitlines()[0].startswith(f"| trial | {METRIC} | step |")
    rows = (folder / "sweep.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["trial", "1", "2"]
    assert (folder / "sweep.png").read_bytes().startswith(b"\x89PNG")
    assert "python -m reasonrft fit --config sft.yaml" in printed


def test_a_trial_answers_no_tests_and_is_a_run_like_others(whole):
    folder = whole[0] / "trial-001"
    assert (folder / "run_config.yaml").exists() and (folder / "policy").is_dir()
    assert (folder / "csv/version_0/metrics.csv").exists()
    assert not (folder / "summary.json").exists()
    assert "test splits" not in (folder / "fit.log").read_text()


def test_trials_stand_side_by_side_in_tensorboard(whole):
    folder, _ = whole
    events = EventAccumulator(str(folder / "trial-001")).Reload()
    plugin = events.summary_metadata["_hparams_/session_start_info"].plugin_data
    content = plugin.content
    assert b"model.optimizer.lr" in content and b"data.skip" in content
    (best,) = events.Scalars(f"best/{METRIC}")
    (good, _) = read_trials(folder)
    assert best.value == pytest.approx(good.value) and [best.step] == good.steps
    assert METRIC in events.Tags()["scalars"]


def test_a_sweep_that_is_told_to_end_and_then_killed_ends_as_if_undisturbed(
    whole, tmp_path, tmp_path_factory
):
    command = write_sweep(tmp_path, tmp_path_factory.getbasetemp() / "drawn-for-sweeps")
    folder = tmp_path / "outputs/sweeps/one"
    first = folder / "trial-001"
    with Started(command, tmp_path) as started:
        started.wait_for((first / "validations.json").exists)
        started.send(signal.SIGTERM)
        code, said = started.end()
    assert code == 143 and "ending what runs" in said and "Traceback" not in said
    assert read_trials(folder)[0].state == "running"
    with FileLock(first / ".lock", timeout=0) as lock:
        assert lock.is_locked  # by nobody else: what it had started has ended
    (first / "fit.log").unlink()
    with Started(command, tmp_path) as started:
        started.wait_for(lambda: (first / "fit.log").exists())
        os.kill(started._id, signal.SIGKILL)
        started.process.join()
    with Started([*command, "--jobs", "2"], tmp_path) as started:
        code, said = started.end()
    assert code == 1, said
    assert outcomes(folder) == outcomes(whole[0])
    assert " of 2 trials are done: grid, by" in started.printed.read_text()


def test_a_sweep_that_is_done_trains_no_more(whole, monkeypatch, capsys):
    folder, _ = whole
    monkeypatch.chdir(folder.parents[2])
    before = outcomes(folder)
    with pytest.raises(SystemExit):
        main(["sweep", "--config", "one.yaml"])
    assert "2 of 2 trials are done" in capsys.readouterr().out
    assert outcomes(folder) == before
    with pytest.raises(SystemExit):
        main(["sweep", "--config", "one.yaml", "--trainer.max_steps", "4"])
    assert "is of a sweep with other options" in capsys.readouterr().err


def test_a_dry_run_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = write_sweep(tmp_path, tmp_path)
    with pytest.raises(SystemExit):
        main([*command, "--config", "other.yaml"])
    assert "a sweep has one --config" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*command, "--trainer.max_steps"])
    assert "--trainer.max_steps is no option with a value" in capsys.readouterr().err
    main([*command, "--dry-run", "--name", "mine"])
    assert capsys.readouterr().out.splitlines() == [
        f"grid, 2 trials by {METRIC} (min)",
        "trial 1: data.skip 0, model.optimizer.lr 0.001",
        "trial 2: data.skip 100, model.optimizer.lr 0.001",
        "results: outputs/sweeps/mine",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["one.yaml"]


@pytest.fixture
def ended(tmp_path, monkeypatch):
    """A function that makes the trial of runs that have ended, with what they measured."""
    monkeypatch.chdir(tmp_path)

    def made(*measured: dict[int, dict[str, float]]):
        seeds = list(range(len(measured)))
        sweep = Sweep("s", ["sft.yaml"], {"a": [1]}, {}, metric="val/x", seeds=seeds)
        trial = new_trial(sweep.folder, 1, {"a": 1}, "val/x", seeds)
        for run, metrics in zip(trial.runs, measured, strict=True):
            write_measured(Path(run.folder), metrics)
            run.exit_code = 0
        running = SweepRun(sweep, 1)
        running.trials = [trial]
        return running, trial

    return made


def test_a_trial_of_several_seeds_has_the_mean_of_their_best_values(ended):
    nan = float("nan")
    running, trial = ended(
        {1: {"val/x": 0.25}, 2: {"val/x": 0.5}, 3: {"val/x": 0.5}},
        {1: {"val/x": 0.75}, 2: {"val/x": nan}, 3: {"val/x": 0.125}},
    )
    running.close(trial, "".join(map(running.fault, trial.runs)))
    # The first of equals, as best.ckpt is.
    assert trial.value == (0.5 + 0.75) / 2 and trial.steps == [2, 1]
    assert json.loads(Path("outputs/sweeps/s/trial-001/trial.json").read_text())["state"] == "done"
    assert Path("outputs/sweeps/s/trial-001/seed-1").is_dir()


def test_a_metric_that_is_never_logged_ends_the_sweep_and_says_what_is(ended):
    running, trial = ended({2: {"val/y": 1.0, "val/z": 2.0}})
    with pytest.raises(BadInput, match="val/x was never logged; validation logged val/y, val/z"):
        running.fault(trial.runs[0])
    running, trial = ended({})
    with pytest.raises(BadInput, match="val/x was never logged; nothing was validated"):
        running.fault(trial.runs[0])
    running, trial = ended({2: {"val/x": float("nan")}})
    assert "val/x was never a finite number" in running.fault(trial.runs[0])
