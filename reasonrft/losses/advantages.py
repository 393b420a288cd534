"""Advantages of Group Relative Policy Optimization (arXiv 2402.03300).

P prompts, G completions per prompt.
"""

from typing import Literal

import torch
from torch import Tensor

Scale = Literal["group", "batch", "none"]

EPSILON = 1e-4
"""Added to standard deviations, as in the paper's release."""
NO_SIGNAL = 1e-6
"""Below this standard deviation, rewards differ by rounding only."""


def group_advantages(rewards: Tensor, scale: Scale = "group") -> Tensor:  # (P, G)
    """A = (r - mean(r of the group)) / (std + EPSILON), with the std of the group or of the batch.

    A group whose rewards are all equal has no signal: its advantages are exactly zero.
    """
    rewards = rewards.double()
    centered = rewards - rewards.mean(1, keepdim=True)
    deviation = (
        rewards.std(1, keepdim=True) if rewards.shape[1] > 1 else torch.zeros(len(rewards), 1)
    )
    centered = torch.where(deviation < NO_SIGNAL, 0.0, centered)
    if scale == "group":
        centered = centered / (deviation + EPSILON)
    elif scale == "batch":
        centered = centered / (rewards.std() + EPSILON)
    return centered.float()
