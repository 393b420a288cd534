"""What a step of reinforcement leaves for callbacks to read.

P prompts, G completions per prompt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from reasonrft.problems import Problem


@dataclass(frozen=True)
class StepRecord:
    """One batch of this rank: prompts, completions, rewards, and the metrics of all ranks.

    A LightningModule leaves it as its attribute `step_record`.
    """

    step: int
    """Batches that were learned from before it."""
    problems: Sequence[Problem]
    texts: Sequence[Sequence[str]]
    lengths: Tensor  # (P, G)
    stopped: Tensor  # (P, G) bool: ended by itself
    rewards: Mapping[str, Tensor]  # each (P, G), unweighted
    total: Tensor  # (P, G)
    advantages: Tensor  # (P, G)
    work: Mapping[str, float]
    """What the rollout engine did, under its own names."""
    metrics: Mapping[str, float]
    """Metrics of the step over all ranks, by the names under which they are logged."""
