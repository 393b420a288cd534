"""`sweep`: the same fit with other values of its keys, compared on validation."""

import argparse
import shlex
from collections.abc import Sequence

import yaml

from reasonrft.cli.exit_codes import exit_code
from reasonrft.cli.quiet import silence
from reasonrft.errors import BadInput, check_at_least
from reasonrft.sweeps.run_sweep import SweepRun, locked, total_trials
from reasonrft.sweeps.search import check_optuna, grid
from reasonrft.sweeps.sweep_config import Range, Sweep, read_sweep
from reasonrft.sweeps.sweep_file import write_sweep
from reasonrft.sweeps.sweep_results import ranked, write_results
from reasonrft.sweeps.trial_options import checked, label, own_arguments, told
from reasonrft.sweeps.trials import Trial


def run_sweep(args: Sequence[str]) -> int:
    """`sweep --config FILE`; returns the exit code."""
    silence()
    chosen, options = _parser().parse_known_args(list(args))
    return exit_code(_sweep, chosen, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reasonrft sweep",
        description="Train with several values of fit's keys, and compare them on validation.",
        usage="reasonrft sweep --config FILE [--jobs N] [--name NAME] [--dry-run] [options of fit]",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--config", metavar="FILE", required=True, action="append", help="the sweep")
    add("--jobs", type=int, default=1, help="trials side by side (default 1)")
    add("--name", help="of the folder outputs/sweeps/NAME; the file's if not given")
    add("--dry-run", action="store_true", help="list the trials, and run none")
    return parser


def _sweep(chosen: argparse.Namespace, options: Sequence[str]) -> int:
    check_at_least(1, jobs=chosen.jobs)
    if len(chosen.config) > 1:
        raise BadInput("a sweep has one --config: name those of fit in its configs")
    sweep = read_sweep(chosen.config[0], chosen.name, as_mapping(options))
    check_optuna(sweep)
    try:
        sweep = checked(sweep)
    except BadInput as error:
        raise BadInput(f"{chosen.config[0]}: {error}") from error
    if chosen.dry_run:
        print(plan(sweep))
        return 0
    with locked(sweep.folder):
        write_sweep(sweep)
        trials = SweepRun(sweep, chosen.jobs).go()
        print(f"\n{write_results(sweep, trials)}\n{_advice(sweep, trials)}")
    return 1 if any(trial.state == "failed" for trial in trials) else 0


def as_mapping(options: Sequence[str]) -> dict[str, object]:
    """Options of fit, `--key value` or `--key=value`, as a config has them."""
    given: dict[str, object] = {}
    rest = iter(options)
    for option in rest:
        key, equals, value = option.partition("=")
        text = value if equals else next(rest, None)
        if not key.startswith("--") or text is None or (not equals and text.startswith("--")):
            raise BadInput(f"{option} is no option with a value: give --key value, as fit takes it")
        given[key.removeprefix("--")] = yaml.safe_load(text)
    return given


def plan(sweep: Sweep) -> str:
    """What would be run: a grid's trials, or what others draw from."""
    lines = [f"{sweep.search}, {total_trials(sweep)} trials by {sweep.metric} ({sweep.mode})"]
    if sweep.search == "grid":
        lines += [
            f"trial {number}: {told(values)}" for number, values in enumerate(grid(sweep.keys), 1)
        ]
    else:
        lines += [f"{key}: {_drawn_from(choices)}" for key, choices in sweep.keys.items()]
    seeds = f", once for each seed of {list(sweep.seeds)}" if len(sweep.seeds) > 1 else ""
    return "\n".join([*lines, f"results: {sweep.folder}{seeds}"])


def _drawn_from(choices: Sequence[object] | Range) -> str:
    if isinstance(choices, Range):
        return f"{choices.low} to {choices.high}{', logarithmic' if choices.log else ''}"
    return ", ".join(map(label, choices))


def _advice(sweep: Sweep, trials: Sequence[Trial]) -> str:
    """Where everything is, and the command that trains with the best values."""
    best = ranked(trials, sweep.mode)[0]
    lines = [f"results: {sweep.folder} (tensorboard --logdir {sweep.folder})"]
    if best.value is not None:
        command = shlex.join(
            ["python", "-m", "reasonrft", "fit", *own_arguments(sweep, best.values)]
        )
        lines.append(f"best: trial {best.number}; as a run of its own:\n{command}")
    return "\n".join(lines)
