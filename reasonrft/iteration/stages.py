"""The command lines of an iteration: every stage is a command that could be given by hand.

round 0    validate                                     the base
round r    distill, sft, dpo, grpo, validate            each from what the one before has left
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reasonrft.cli.fit_options import as_options, parsed_config, shown
from reasonrft.errors import BadInput
from reasonrft.iteration.iteration_config import TRAINING, Iteration, Options

_OF_PROBLEMS = ("data.source", "data.limit", "data.skip")
"""Beginnings of options about the problems, which are not those of their chains."""
_QUIET = {"trainer.enable_progress_bar": False, "trainer.limit_test_batches": 0}


@dataclass
class Stage:
    """One command of an iteration, and how it stands."""

    round: int
    name: str
    done: bool = False
    seconds: float = 0.0
    command: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        return f"round {self.round}, {self.name}"

    @property
    def folder(self) -> Path:
        """Below the iteration's."""
        return Path(f"round-{self.round}", self.name)


def stages_of(iteration: Iteration) -> list[Stage]:
    """All stages in their order."""
    names = ["distill", *iteration.trained, "validate"]
    rounds = range(1, iteration.rounds + 1)
    return [Stage(0, "validate"), *(Stage(number, name) for number in rounds for name in names)]


def policy_of(iteration: Iteration, number: int) -> str:
    """What a round has left; the base before the first."""
    if number == 0:
        return iteration.policy
    return str(iteration.home / f"round-{number}" / iteration.trained[-1] / "policy")


def prepare(iteration: Iteration, stages: Sequence[Stage]) -> None:
    """Give each stage its command; a mistake in any is found before the first one begins."""
    source = problem_source(iteration)
    for stage in stages:
        stage.command = command(iteration, stage, source)
        if stage.round <= 1 and stage.name != "distill":  # which comes first, and says its own
            try:
                parsed_config(stage.command)
            except BadInput as error:
                raise BadInput(f"{stage.name}: {error}") from error


def command(iteration: Iteration, stage: Stage, source: Options) -> list[str]:
    """The arguments of a stage's command.

    Args:
        iteration: What the stage is of.
        stage: The stage.
        source: Where its problems come from.
    """
    if stage.name == "distill":
        return _distill(iteration, stage)
    options: Options = {**iteration.options}
    if stage.name in ("sft", "dpo"):
        options = {k: v for k, v in options.items() if not k.startswith(_OF_PROBLEMS)}
        options["data.source"] = _distilled(iteration, stage, source)
    options |= _QUIET
    if stage.name in TRAINING:
        options |= {"trainer.limit_val_batches": 0, **getattr(iteration, stage.name)}
    options |= {
        "policy": _start(iteration, stage),
        "seed_everything": iteration.seed + stage.round,
        "trainer.default_root_dir": str(iteration.home / stage.folder),
    }
    if stage.name == "validate":
        options |= {"trainer.limit_val_batches": 1.0, "data.val_splits": ["val"]}
        return ["validate", *_configs(iteration, "sft"), *as_options(options)]
    return ["fit", *_configs(iteration, stage.name), *as_options(options | {"ckpt_path": "last"})]


def _distill(iteration: Iteration, stage: Stage) -> list[str]:
    own: Options = {
        **iteration.distill,
        "policy": policy_of(iteration, stage.round - 1),
        "seed": iteration.seed + stage.round,
        "output": str(_file(iteration, stage.round, "chains")),
    }
    if iteration.dpo is not None:
        own["pairs"] = str(_file(iteration, stage.round, "pairs"))
    options = {key: value for key, value in iteration.options.items() if key not in own}
    shared = [f"--config={config}" for config in iteration.configs]
    return ["distill", *shared, *as_options(options), *(_flag(*pair) for pair in own.items())]


def _flag(name: str, value: Any) -> str:
    """An option of distill; switches are on or off, and have no value."""
    name = name if "." in name else name.replace("_", "-")
    if isinstance(value, bool) and "." not in name:
        return f"--{name}" if value else f"--no-{name}"
    return f"--{name}={shown(value)}"


def _file(iteration: Iteration, number: int, kind: str) -> Path:
    return iteration.home / f"round-{number}" / "distill" / f"{kind}.jsonl"


def _start(iteration: Iteration, stage: Stage) -> str:
    """The policy that a stage begins with."""
    before = policy_of(iteration, stage.round - 1)
    if stage.name == "validate":
        return policy_of(iteration, stage.round)
    place = iteration.trained.index(stage.name)
    if place:
        earlier = Stage(stage.round, iteration.trained[place - 1]).folder
        return str(iteration.home / earlier / "policy")
    return before if stage.name == "grpo" or iteration.start == "last" else iteration.policy


def _configs(iteration: Iteration, name: str) -> list[str]:
    files = [TRAINING[name], *iteration.configs]
    return [word for config in files for word in ("--config", config)]


def _distilled(iteration: Iteration, stage: Stage, source: Options) -> Options:
    """The source of the problems, with chains or pairs in the place of those to train on."""
    kind = {"sft": "chains", "dpo": "pairs"}[stage.name]
    first = 1 if iteration.chains == "all" else stage.round
    files = [str(_file(iteration, number, kind)) for number in range(first, stage.round + 1)]
    arguments = {"source": source, "train": os.pathsep.join(files)}
    return {"class_path": "reasonrft.datamodules.DistilledProblems", "init_args": arguments}


def problem_source(iteration: Iteration) -> Options:
    """The source that the configs and options name, in full."""
    given = {"policy": iteration.policy, **iteration.options}
    config = parsed_config(["fit", *_configs(iteration, "sft"), *as_options(given)])
    return dict(config["data"]["init_args"]["source"])
