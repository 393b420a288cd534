"""The losses that the field uses, each by its class name.

P prompts, G completions per prompt, N completion tokens of a micro-batch.
"""

import torch
from torch import Tensor

from reasonrft.losses.base import LossInputs, PolicyLoss


class GRPOLoss(PolicyLoss):
    """GRPO (2402.03300): mean over completions of the mean over their tokens."""

    def token_weights(self, lengths: Tensor, counted: Tensor, max_tokens: int) -> Tensor:
        lengths = lengths * counted
        return 1 / lengths.clamp_min(1) / counted.sum().clamp_min(1) * counted


class DrGRPOLoss(PolicyLoss):
    """Dr. GRPO (2503.20783): sum over tokens by the longest length possible, mean over completions.

    It is usually used with `scale: none`.
    """

    def token_weights(self, lengths: Tensor, counted: Tensor, max_tokens: int) -> Tensor:
        return torch.ones_like(lengths) / max_tokens / counted.sum().clamp_min(1) * counted


class DAPOLoss(PolicyLoss):
    """DAPO (2503.14476): mean over all tokens of the step; usually with a higher clip_high."""

    def token_weights(self, lengths: Tensor, counted: Tensor, max_tokens: int) -> Tensor:
        lengths = lengths * counted
        return torch.ones_like(lengths) / lengths.sum().clamp_min(1) * counted


class BNPOLoss(PolicyLoss):
    """Mean over groups of the mean over all tokens of a group."""

    def token_weights(self, lengths: Tensor, counted: Tensor, max_tokens: int) -> Tensor:
        lengths = lengths * counted
        groups = counted.any(1).sum().clamp_min(1)
        weights = 1 / lengths.sum(1, keepdim=True).clamp_min(1) / groups
        return weights.expand_as(lengths) * counted


class GSPOLoss(GRPOLoss):
    """GSPO (2507.18071): the ratio of a token is that of its completion, a geometric mean."""

    tells_tokens_apart = False

    def ratio(self, inputs: LossInputs) -> Tensor:  # (N,)
        log_ratio = inputs.log_probs - inputs.old
        # As long as if each token were a completion: how many there are, a GPU would be asked.
        sums, lengths = (
            torch.zeros_like(log_ratio).index_add(0, inputs.completion, values)
            for values in (log_ratio, torch.ones_like(log_ratio))
        )
        return (sums / lengths.clamp_min(1))[inputs.completion].exp()


class CISPOLoss(DAPOLoss):
    """CISPO (2506.13585): the clipped ratio is a weight, so that no token loses its gradient."""

    def surrogate(self, ratio: Tensor, inputs: LossInputs) -> tuple[Tensor, Tensor]:
        bound = 1 + self.clip_high
        weight = ratio.clamp(max=bound).detach()
        return weight * inputs.advantages * inputs.log_probs, ratio > bound
