"""What a step of reinforcement leaves for callbacks to read.

P prompts, G completions per prompt.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor

from reasonrft.grpo import Loss
from reasonrft.modules.micro_batches import MicroBatch
from reasonrft.policy.rollout import Counters
from reasonrft.policy.scoring import Scores
from reasonrft.problems import Problem


@dataclass(frozen=True)
class StepRecord:
    """One batch: what was asked and answered, how that was judged, and what came of it."""

    step: int
    """Batches that were learned from before it; curves count alike."""
    problems: Sequence[Problem]
    texts: Sequence[Sequence[str]]
    lengths: Tensor  # (P, G)
    stopped: Tensor  # (P, G) bool: ended by itself
    rewards: Mapping[str, Tensor]  # each (P, G), unweighted
    total: Tensor  # (P, G)
    advantages: Tensor  # (P, G)
    counters: Counters
    metrics: Mapping[str, float]
    """Figures of the step, by the names under which they are logged."""


class Watch:
    """Adds up what happens in a step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.sums: dict[str, float] = defaultdict(float)
        self.gradient_norm = 0.0
        self.largest_difference = 0.0

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - start

    def add(self, part: MicroBatch, scores: Scores, found: Loss) -> None:
        """Note one pass over a micro-batch."""
        difference = (scores.log_probs.detach() - part.sampled.to(scores.log_probs)).abs()
        for name, value in (
            ("loss", found.loss.detach()),
            ("kl", found.kl),
            ("clip_fraction", found.clip_fraction),
            ("entropy", scores.entropy.sum()),
            ("difference", difference.sum()),
        ):
            self.sums[name] += value.item()
        self.sums["tokens"] += len(difference)
        if len(difference):
            self.largest_difference = max(self.largest_difference, difference.max().item())

    def metrics(self, updates: int) -> dict[str, float]:
        """Averages over updates, and over tokens where a figure is per token."""
        tokens = max(1.0, self.sums["tokens"])
        return {
            "train/loss": self.sums["loss"] / updates,
            "train/kl": self.sums["kl"] / updates,
            "train/clip_fraction": self.sums["clip_fraction"] / updates,
            "train/entropy": self.sums["entropy"] / tokens,
            "train/grad_norm": self.gradient_norm,
            "train/sampling_difference": self.sums["difference"] / tokens,
            "train/sampling_difference_max": self.largest_difference,
            "perf/tokens_scored": self.sums["tokens"],
            **{f"time/{name}": seconds for name, seconds in self.seconds.items()},
        }
