"""Which values the next trial has: the next of a grid, at random, or those that promise most.

What is asked of Optuna is a function of the trial's number and of the trials before it. So a sweep
that was killed goes on as it would have, with nothing kept but its trials.
"""

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reasonrft.errors import BadInput
from reasonrft.sweeps.sweep_config import Choices, Range, Sweep
from reasonrft.sweeps.trials import Trial

if TYPE_CHECKING:
    import optuna

STARTUP = 5
"""Trials at random before TPE learns from them."""
ATTEMPTS = 20
"""Proposals of a search that were tried before; after so many, values are drawn at random."""
DIGITS = 3
"""Significant digits of values from a range."""

Values = dict[str, Any]


def grid(keys: Mapping[str, Choices]) -> list[Values]:
    """All combinations; the last key's values change fastest."""
    lists = [choices for choices in keys.values() if not isinstance(choices, Range)]
    return [dict(zip(keys, values, strict=True)) for values in itertools.product(*lists)]


def next_values(sweep: Sweep, trials: Sequence[Trial], number: int) -> Values | None:
    """The values of the trial with this number; None when all have been tried.

    Args:
        sweep: What is searched.
        trials: All trials before, those that are running too.
        number: From 1.
    """
    tried = {json.dumps(dict(trial.values), sort_keys=True) for trial in trials}

    def is_new(values: Values) -> bool:
        return json.dumps(values, sort_keys=True) not in tried

    if sweep.search == "grid":
        return next(filter(is_new, grid(sweep.keys)), None)
    if len(trials) >= (sweep.trials or 0):
        return None
    proposals = (_propose(sweep, trials, number, attempt) for attempt in itertools.count())
    return next(filter(is_new, proposals))


def check_optuna(sweep: Sweep) -> None:
    """Optuna is there if the search needs it."""
    if sweep.search != "grid":
        try:
            import optuna  # noqa: F401
        except ImportError as error:
            raise BadInput(
                f"search: {sweep.search} needs Optuna: pip install 'reasonrft[sweeps]'"
            ) from error


def _propose(sweep: Sweep, trials: Sequence[Trial], number: int, attempt: int) -> Values:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    digest = hashlib.sha256(f"{number}/{attempt}".encode()).digest()
    seed = int.from_bytes(digest[:4], "big")
    sampler: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler(seed)
    if sweep.search == "tpe" and attempt < ATTEMPTS:
        # Trials side by side keep away from one another.
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=STARTUP, constant_liar=True, seed=seed
        )
    directions = optuna.study.StudyDirection
    direction = directions.MAXIMIZE if sweep.mode == "max" else directions.MINIMIZE
    study = optuna.create_study(direction=direction, sampler=sampler)
    distributions = {key: _distribution(choices) for key, choices in sweep.keys.items()}
    for trial in trials:
        study.add_trial(_told(trial, sweep, distributions))
    params = study.ask(distributions).params
    return {key: _value(sweep.keys[key], params[key]) for key in sweep.keys}


def _told(
    trial: Trial, sweep: Sweep, distributions: "dict[str, optuna.distributions.BaseDistribution]"
) -> "optuna.trial.FrozenTrial":
    import optuna

    states = optuna.trial.TrialState
    return optuna.trial.create_trial(
        state={"done": states.COMPLETE, "failed": states.FAIL, "running": states.RUNNING}[
            trial.state
        ],
        params={key: _param(choices, trial.values[key]) for key, choices in sweep.keys.items()},
        distributions=distributions,
        value=trial.value if trial.state == "done" else None,
    )


def _distribution(choices: Choices) -> "optuna.distributions.BaseDistribution":
    """Values of a list go by their place in it: Optuna takes no classes with arguments."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if not isinstance(choices, Range):
        return CategoricalDistribution(range(len(choices)))
    if choices.whole:
        return IntDistribution(int(choices.low), int(choices.high), log=choices.log)
    return FloatDistribution(choices.low, choices.high, log=choices.log)


def _param(choices: Choices, value: Any) -> Any:
    return value if isinstance(choices, Range) else list(choices).index(value)


def _value(choices: Choices, param: Any) -> Any:
    """What a person can read and write; more digits mean nothing."""
    if not isinstance(choices, Range):
        return choices[param]
    if choices.whole:
        return param
    return min(max(float(f"{param:.{DIGITS}g}"), choices.low), choices.high)
