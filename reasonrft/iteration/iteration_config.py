"""What an iteration runs, as its YAML file says."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from reasonrft.errors import BadInput, check_at_least

Options = dict[str, Any]
"""Options of the command line, by their dotted keys; those of distill have its own names too."""

TRAINING = {"sft": "configs/sft.yaml", "dpo": "configs/dpo.yaml", "grpo": "configs/grpo.yaml"}
"""The stages that train, in their order, and the config of each."""


@dataclass(frozen=True)
class Iteration:
    """Rounds: sample, fine-tune on what was right, prefer right to wrong, reinforce."""

    name: str
    """Of the folder outputs/iterate/NAME."""
    policy: str = "tiny-counting"
    """The base: the first round samples it, and fine-tuning begins with it."""
    rounds: int = 2
    """How often."""
    configs: list[str] = field(default_factory=lambda: ["configs/data/counting.yaml"])
    """Configs over each stage's: the problems, and what all stages share."""
    options: Options = field(default_factory=dict)
    """Options of every stage."""
    distill: Options = field(default_factory=dict)
    """Options of sampling, such as samples: 8."""
    sft: Options | None = field(default_factory=dict)
    """Options of fine-tuning on chains; null leaves it out."""
    dpo: Options | None = None
    """Options of DPO on right answers against wrong ones; null leaves it out."""
    grpo: Options | None = field(default_factory=dict)
    """Options of reinforcement on the problems themselves; null leaves it out."""
    chains: Literal["all", "last"] = "all"
    """Learn from the chains and pairs of all rounds so far, or of the last one."""
    start: Literal["base", "last"] = "base"
    """Fine-tuning begins with the base, as OpenVLThinker's, or goes on with the last policy."""
    seed: int = 0
    """Another seed is other samples, and another order."""
    folder: str | None = None
    """Where it writes to, if not to outputs/iterate/NAME."""

    @property
    def home(self) -> Path:
        return Path(self.folder or f"outputs/iterate/{self.name}")

    @property
    def trained(self) -> list[str]:
        """The stages that train a policy, in their order."""
        return [name for name in TRAINING if getattr(self, name) is not None]


def check(iteration: Iteration) -> None:
    """Refuse what cannot be run, in one sentence."""
    check_at_least(1, rounds=iteration.rounds)
    if not iteration.trained:
        raise BadInput("sft, dpo and grpo are all null: at least one of them has to train")
    for name in ("output", "pairs", "seed", "policy", "config"):
        if name in iteration.distill:
            raise BadInput(f"distill names {name}, which the iteration itself says: leave it out")
