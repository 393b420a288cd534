"""What a command line resolves to, of what a study reckons with."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reasonrft.cli.fit_options import parsed_config
from reasonrft.errors import BadInput


@dataclass(frozen=True)
class Settings:
    """How large a run is."""

    steps: int
    """Optimizer steps."""
    batch_size: int
    """Prompts or examples of a batch, of all devices."""
    accumulated: int = 1
    """Batches of an optimizer step."""
    updates: int = 1
    """Optimizer steps on a batch."""
    group_size: int = 0
    """Completions of a prompt; 0 in fine-tuning."""
    beta: float = 0.0
    answers: bool = False
    """Whether answers are learned, without chains."""

    @property
    def batches(self) -> int:
        return self.steps * self.accumulated // self.updates

    def seen(self, problems: int) -> int:
        """How many of the problems it learns from."""
        return min(problems, self.batches * self.batch_size)


def resolve(args: Sequence[str], problems: int) -> Settings:
    """Settings of `fit` with these arguments on so many problems; nothing is made or trained."""
    config = parsed_config(args)
    return settings_of(config["trainer"], config["model"], config["data"]["init_args"], problems)


def settings_of(
    trainer: Mapping[str, Any], model: Mapping[str, Any], data: Mapping[str, Any], problems: int
) -> Settings:
    """Settings of a complete configuration.

    Args:
        trainer: Arguments of the trainer.
        model: The module: class_path and init_args.
        data: Arguments of the datamodule.
        problems: How many it learns from.
    """
    module = model["init_args"]
    samples = "group_size" in module
    batch_size = int(data["batch_size"]) * _devices(trainer)
    accumulated = int(trainer.get("accumulate_grad_batches") or 1)
    updates = int(module.get("updates") or 1)
    of_epoch = math.ceil(math.ceil(problems / batch_size) / accumulated) * updates
    limits = [
        int(limit) * scale
        for limit, scale in (
            (trainer.get("max_steps") or -1, 1),
            (trainer.get("max_epochs") or -1, of_epoch),
        )
        if int(limit) > 0
    ]
    if not limits:
        raise BadInput("nothing says how long it trains: set trainer.max_steps or max_epochs")
    return Settings(
        min(limits),
        batch_size,
        accumulated,
        updates,
        int(module["group_size"]) if samples else 0,
        float(module.get("beta") or 0.0),
        data.get("target") == "answer",
    )


def _devices(trainer: Mapping[str, Any]) -> int:
    """How many there are, where the configuration says so."""
    devices = trainer.get("devices")
    count = len(devices) if isinstance(devices, (list, tuple)) else str(devices)
    each = int(count) if str(count).isdigit() else 1
    return each * int(trainer.get("num_nodes") or 1)
