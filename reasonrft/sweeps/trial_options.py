"""The command line of a trial's fit, and whether the parser takes all that a sweep may say."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reasonrft.cli.fit_options import as_options, parsed_config, shown
from reasonrft.cli.run_defaults import validation_metric
from reasonrft.errors import BadInput
from reasonrft.sweeps.sweep_config import Range, Sweep
from reasonrft.sweeps.trials import Run


def label(value: Any) -> str:
    """A value as a person reads it: a class with arguments as in code."""
    if not isinstance(value, dict) or "class_path" not in value:
        return shown(value)
    arguments = value.get("init_args") or {}
    listed = ", ".join(f"{name}={label(argument)}" for name, argument in arguments.items())
    return f"{value['class_path'].rpartition('.')[2]}({listed})"


def told(values: Mapping[str, Any]) -> str:
    """All values of a trial in a line."""
    return ", ".join(f"{key} {label(value)}" for key, value in values.items())


def own_arguments(sweep: Sweep, values: Mapping[str, Any]) -> list[str]:
    """What a user would give to `fit` for these values."""
    configs = [word for config in sweep.configs for word in ("--config", config)]
    return [*configs, *as_options(sweep.options), *as_options(values)]


def fit_arguments(sweep: Sweep, values: Mapping[str, Any], run: Run) -> list[str]:
    """The command of one run: begun, or gone on with where it was ended."""
    events = {
        "class_path": "TensorBoardLogger",
        # In the run's folder itself: so it has the trial's name in TensorBoard.
        "init_args": {
            "save_dir": run.folder,
            "name": "",
            "version": "",
            "default_hp_metric": False,
        },
    }
    table = {"class_path": "CSVLogger", "init_args": {"save_dir": run.folder, "name": "csv"}}
    given = {
        "seed_everything": run.seed,
        "trainer.default_root_dir": run.folder,
        "trainer.enable_progress_bar": False,
        "trainer.limit_test_batches": 0,
        "trainer.logger": [events, table],
        "trainer.callbacks+": {"class_path": "reasonrft.sweeps.ValidationRecord"},
        "ckpt_path": "last",
    }
    return ["fit", *own_arguments(sweep, values), *as_options(given)]


def checked(sweep: Sweep) -> Sweep:
    """The sweep with its metric, after fit's parser has taken every value that it may give."""
    first = {key: _samples(choices)[0] for key, choices in sweep.keys.items()}
    config = _parsed(sweep, first)
    for key, choices in sweep.keys.items():
        for value in _samples(choices)[1:]:
            _parsed(sweep, first | {key: value})
    return replace(sweep, metric=_metric(sweep.metric, config))


def _samples(choices: Sequence[Any] | Range) -> list[Any]:
    return [choices.low, choices.high] if isinstance(choices, Range) else list(choices)


def _parsed(sweep: Sweep, values: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a run with these values; `BadInput` where there is none."""
    run = Run(sweep.seeds[0], str(sweep.folder / "trial-001"), "")
    return parsed_config(fit_arguments(sweep, values, run))


def _metric(metric: str | None, config: Mapping[str, Any]) -> str:
    """The metric of the sweep, which is that of best.ckpt if it names none."""
    of_best = validation_metric(config)
    if of_best is None and (metric is None or metric.endswith("/accuracy")):
        splits = ((config.get("data") or {}).get("init_args") or {}).get("val_splits")
        raise BadInput(
            f"validation does not answer split val (data.val_splits is {splits}), and tests are "
            "not to choose by: set data.val_splits to [val] in options, or a metric of your own"
        )
    return str(metric or of_best)
