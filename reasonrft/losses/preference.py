"""DPO's loss (arXiv 2305.18290): of two completions of a prompt, the better one becomes likelier.

P pairs.

    reward(y) = beta * (log pi(y | x) - log pi_reference(y | x))
    margin    = reward(chosen) - reward(rejected)
    loss      = -(1 - s) * log sigma(margin) - s * log sigma(-margin)

s is label smoothing: the share of pairs that are taken to be the wrong way round.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


@dataclass(frozen=True)
class PreferenceOutput:
    """What DPO says of each pair."""

    losses: Tensor  # (P,)
    rewards: Tensor  # (P, 2) of chosen and rejected, without gradient

    @property
    def figures(self) -> Tensor:  # (5,)
        """Sums over the pairs: loss, both rewards, margin, pairs that are the right way round."""
        chosen, rejected = self.rewards.unbind(1)
        margins = chosen - rejected
        columns = (self.losses.detach(), chosen, rejected, margins, margins > 0)
        return torch.stack([column.double().sum() for column in columns])


FIGURES = ("loss", "reward/chosen", "reward/rejected", "reward/margin", "accuracy")


def preference_loss(
    log_probs: Tensor,  # (P, 2) of whole completions, chosen and rejected
    reference_log_probs: Tensor,  # (P, 2)
    beta: float,
    label_smoothing: float = 0.0,
) -> PreferenceOutput:
    """The loss of each pair."""
    rewards = beta * (log_probs - reference_log_probs)
    margins = rewards[:, 0] - rewards[:, 1]
    right, wrong = logsigmoid(margins), logsigmoid(-margins)
    losses = -(1 - label_smoothing) * right - label_smoothing * wrong
    return PreferenceOutput(losses, rewards.detach())
