"""What a policy loss is: a token weight, a surrogate, and the KL penalty.

P prompts, G completions per prompt, N completion tokens of a micro-batch.

    total = sum over tokens t of   w_t * (beta * KL_t - rho_t * surrogate_t)

    w_t    token weight: the loss's denominator, over all tokens of the step    `token_weights`
    r_t    ratio: exp(log pi_t - log pi_old_t)                                  `ratio`
    rho_t  importance weight: min(exp(log pi_old_t - log pi_rollout_t), cap)    `Importance`
    KL_t   estimate of KL(pi || pi_reference)                                   `kl_estimate`
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor

from reasonrft.errors import BadInput

KLEstimate = Literal["k1", "k2", "k3"]


@dataclass(frozen=True)
class LossInputs:
    """What a loss is computed from, token by token."""

    log_probs: Tensor  # (N,) of the policy now
    old: Tensor  # (N,) of the policy before the first update, by the scorer
    advantages: Tensor  # (N,)
    weights: Tensor  # (N,) token weights
    completion: Tensor  # (N,) index of the completion that a token belongs to
    reference: Tensor | None = None  # (N,) of the reference policy
    rollout: Tensor | None = None  # (N,) by the sampler; None where the sampler is the scorer


@dataclass(frozen=True)
class LossOutput:
    """The loss, and figures of the update that are weighted as the loss is."""

    total: Tensor
    kl: Tensor
    clip_fraction: Tensor
    importance: "Importance | None"
    """Importance weights; None where the sampler is the scorer."""
    figures: Mapping[str, Tensor] = field(default_factory=dict)
    """Further figures by name, logged as train/NAME."""


@dataclass(frozen=True)
class Importance:
    """How far the policy that samples is from the one that learns, without gradient."""

    log_ratios: Tensor  # (N,) log pi_old - log pi_rollout
    cap: float

    @property
    def weights(self) -> Tensor:  # (N,)
        """min(pi_old / pi_rollout, cap): truncated importance weights."""
        return self.log_ratios.exp().clamp(max=self.cap)

    @property
    def truncated(self) -> Tensor:  # (N,) bool
        """Where the cap holds."""
        return self.log_ratios.exp() > self.cap

    @property
    def kl(self) -> Tensor:  # (N,)
        """Estimates (k3) of KL(rollout || old): the tokens are samples of the former."""
        return self.log_ratios.exp() - self.log_ratios - 1


class PolicyLoss:
    """A policy-gradient loss; subclass it, override what differs, and name it by class_path."""

    tells_tokens_apart: ClassVar[bool] = True
    """Whether a token's advantage acts on that token alone."""

    def __init__(
        self,
        clip_low: float = 0.2,
        clip_high: float = 0.2,
        kl: KLEstimate = "k3",
        importance_cap: float = 2.0,
    ) -> None:
        """
        Args:
            clip_low: Epsilon_low. Where the ratio is below 1 - epsilon_low and the advantage is
                negative, the gradient is zero.
            clip_high: Epsilon_high. Where the ratio is above 1 + epsilon_high and the advantage is
                positive, the gradient is zero.
            kl: Estimate of the KL divergence from the reference policy: k1, k2, k3.
            importance_cap: Upper bound of the importance weight that corrects for an engine whose
                log-probs differ from the scorer's.
        """
        for name, value in (("clip_low", clip_low), ("clip_high", clip_high)):
            if not 0 <= value < float("inf"):
                raise BadInput(f"{name} must be a number of at least 0, not {value}")
        if not importance_cap >= 1:
            raise BadInput(f"importance_cap must be at least 1, not {importance_cap}")
        self.clip_low, self.clip_high, self.kl = clip_low, clip_high, kl
        self.importance_cap = importance_cap

    def token_weights(self, lengths: Tensor, counted: Tensor, max_tokens: int) -> Tensor:  # (P, G)
        """The weight of each token of a completion in the loss of a whole step.

        The sum over tokens with these weights is the mean that a loss is named for, over all
        prompts of the step. However they are split into micro-batches, the sums add up to it.

        Args:
            lengths: Tokens of each completion (P, G).
            counted: Completions that are learned from (P, G).
            max_tokens: The limit of tokens in sampling.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define token_weights")

    def ratio(self, inputs: LossInputs) -> Tensor:  # (N,)
        """pi / pi_old of each token."""
        return (inputs.log_probs - inputs.old).exp()

    def surrogate(self, ratio: Tensor, inputs: LossInputs) -> tuple[Tensor, Tensor]:  # (N,), (N,)
        """min(r A, clip(r, 1 - epsilon_low, 1 + epsilon_high) A), and where the clip holds."""
        unclipped = ratio * inputs.advantages
        clipped = ratio.clamp(1 - self.clip_low, 1 + self.clip_high) * inputs.advantages
        return torch.minimum(unclipped, clipped), clipped < unclipped

    def __call__(self, inputs: LossInputs, beta: float = 0.0) -> LossOutput:
        """The loss of a micro-batch: its part of the sum over all tokens of the step."""
        surrogate, clipped = self.surrogate(self.ratio(inputs), inputs)
        importance = importance_of(inputs, self.importance_cap)
        penalty = (
            torch.zeros_like(surrogate)
            if inputs.reference is None
            else kl_estimate(inputs.log_probs, inputs.reference, self.kl)
        )
        if importance is not None:
            surrogate = importance.weights * surrogate
        return LossOutput(
            total=(inputs.weights * (beta * penalty - surrogate)).sum(),
            kl=(inputs.weights * penalty).sum().detach(),
            clip_fraction=(inputs.weights * clipped).sum().detach(),
            importance=importance,
        )


def importance_of(inputs: LossInputs, cap: float) -> Importance | None:
    """The importance weights of tokens, if the sampler is not the scorer."""
    if inputs.rollout is None:
        return None
    return Importance((inputs.old - inputs.rollout).detach(), cap)


def kl_estimate(log_probs: Tensor, reference: Tensor, kind: KLEstimate) -> Tensor:  # (N,)
    """Estimates of KL(policy || reference) from sampled tokens (joschu.net/blog/kl-approx)."""
    log_ratio = reference - log_probs
    if kind == "k1":
        return -log_ratio
    if kind == "k2":
        return log_ratio.square() / 2
    return log_ratio.exp() - log_ratio - 1
