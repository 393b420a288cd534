"""Schedules of the learning rate that torch does not have."""

import math
from collections.abc import Callable
from functools import partial

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def cosine(done: float) -> float:
    return (1 + math.cos(math.pi * done)) / 2


def line(done: float) -> float:
    return 1 - done


class Warmup(LambdaLR):
    """Rises linearly to the optimizer's rate, then falls until training ends."""

    fall: Callable[[float], float]
    """How much of the fall is left, from 1 to 0, when so much of it is done."""

    def __init__(
        self,
        optimizer: Optimizer,
        warmup_steps: int = 100,
        total_steps: int | None = None,
        final: float = 0.0,
    ) -> None:
        """
        Args:
            optimizer: Whose rate it is.
            warmup_steps: Steps until the full rate is reached.
            total_steps: Steps until the final rate is reached; all of the run's if not given.
            final: What is left of the rate in the end, as a share.
        """
        self.warmup_steps, self.total_steps, self.final = warmup_steps, total_steps, final
        super().__init__(optimizer, self._factor(total_steps or warmup_steps + 1))

    def plan(self, steps: int) -> None:
        """Tell how many steps the run has."""
        # In the functions and not in attributes, which a checkpoint of another run would set.
        factor = self._factor(self.total_steps or steps)
        self.lr_lambdas = [factor] * len(self.lr_lambdas)

    def _factor(self, steps: int) -> "partial[float]":
        return partial(
            rise_and_fall,
            warmup=self.warmup_steps,
            total=steps,
            final=self.final,
            fall=self.fall,
        )


class WarmupCosine(Warmup):
    """Rises linearly to the optimizer's rate, then falls along a cosine until training ends."""

    fall = staticmethod(cosine)


class WarmupLinear(Warmup):
    """Rises linearly to the optimizer's rate, then falls along a line until training ends."""

    fall = staticmethod(line)


def rise_and_fall(
    step: int, warmup: int, total: int, final: float, fall: Callable[[float], float]
) -> float:
    """The share of the full rate at a step; the first step is already taken at more than 0."""
    if step < warmup:
        return (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, total - warmup))
    return final + (1 - final) * fall(done)
