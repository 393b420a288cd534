"""Group Relative Policy Optimization (arXiv 2402.03300): advantages and losses.

P prompts, G completions per prompt, N completion tokens in all.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

LossName = Literal["grpo", "dr_grpo", "dapo", "bnpo", "gspo", "cispo"]
Scale = Literal["group", "batch", "none"]
KLName = Literal["k1", "k2", "k3"]

EPSILON = 1e-4
"""Added to standard deviations, as in the paper's release."""
NO_SIGNAL = 1e-6
"""Below this deviation rewards differ by rounding alone."""


def group_advantages(rewards: Tensor, scale: Scale = "group") -> Tensor:  # (P, G)
    """Rewards against the mean of their group, over the deviation of the group or of all.

    A group whose rewards are equal has no signal: its advantages are exactly zero.
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


def token_weights(
    lengths: Tensor,  # (P, G)
    counted: Tensor,  # (P, G) bool
    loss: LossName,
    max_tokens: int,
) -> Tensor:  # (P, G)
    """The weight of each token of a completion in the loss of a whole step.

    The sum over tokens with these weights is the mean that a loss is named for, over all prompts
    of the step: however they are split into micro-batches, their sums add up to the same.
    """
    lengths = lengths * counted
    if loss in ("grpo", "gspo"):  # mean over completions of the mean over their tokens
        weights = 1 / lengths.clamp_min(1) / counted.sum().clamp_min(1)
    elif loss == "dr_grpo":  # no length in it but the longest possible
        weights = torch.ones_like(lengths) / max_tokens / counted.sum().clamp_min(1)
    elif loss == "bnpo":  # mean over groups of the mean over their tokens
        groups = counted.any(1).sum().clamp_min(1)
        weights = (1 / lengths.sum(1, keepdim=True).clamp_min(1) / groups).expand_as(lengths)
    else:  # dapo, cispo: mean over tokens
        weights = torch.ones_like(lengths) / lengths.sum().clamp_min(1)
    return weights * counted


@dataclass(frozen=True)
class Tokens:
    """What a loss is made of, token by token."""

    log_probs: Tensor  # (N,)
    old: Tensor  # (N,) of the policy that sampled
    advantages: Tensor  # (N,)
    weights: Tensor  # (N,)
    completion: Tensor  # (N,) which completion a token is part of
    reference: Tensor | None = None  # (N,)


@dataclass(frozen=True)
class Loss:
    """The loss, and what it shows of the update; every figure is weighted as the loss is."""

    loss: Tensor
    kl: Tensor
    clip_fraction: Tensor


def policy_loss(
    tokens: Tokens,
    loss: LossName = "grpo",
    clip_low: float = 0.2,
    clip_high: float = 0.2,
    beta: float = 0.0,
    kl: KLName = "k3",
) -> Loss:
    """The clipped surrogate and its penalty for leaving the reference."""
    ratio = _ratio(tokens, sequence=loss == "gspo")  # (N,)
    bounded = ratio.clamp(1 - clip_low, 1 + clip_high)
    if loss == "cispo":  # the clipped ratio is a weight, so that no token loses its gradient
        gain = ratio.clamp(max=1 + clip_high).detach() * tokens.advantages * tokens.log_probs
        clipped = ratio > 1 + clip_high
    else:
        gain = torch.minimum(ratio * tokens.advantages, bounded * tokens.advantages)
        clipped = bounded * tokens.advantages < ratio * tokens.advantages
    penalty = (
        torch.zeros_like(gain)
        if tokens.reference is None
        else divergence(tokens.log_probs, tokens.reference, kl)
    )
    return Loss(
        (tokens.weights * (beta * penalty - gain)).sum(),
        (tokens.weights * penalty).sum().detach(),
        (tokens.weights * clipped).sum().detach(),
    )


def _ratio(tokens: Tokens, sequence: bool) -> Tensor:  # (N,)
    """How much likelier a token has become, or on geometric average its completion (GSPO)."""
    change = tokens.log_probs - tokens.old
    if sequence:
        count = int(tokens.completion.max()) + 1
        sums = change.new_zeros(count).index_add(0, tokens.completion, change)
        lengths = torch.bincount(tokens.completion, minlength=count)
        change = (sums / lengths.clamp_min(1))[tokens.completion]
    return change.exp()


def divergence(log_probs: Tensor, reference: Tensor, kl: KLName) -> Tensor:  # (N,)
    """Estimates of KL(policy || reference) from sampled tokens."""
    change = reference - log_probs
    if kl == "k1":
        return -change
    if kl == "k2":
        return change.square() / 2
    return change.exp() - change - 1
