"""PAPO's implicit perception loss (2507.06448): completions are to depend on the image.

N completion tokens of a micro-batch.

    added to the loss:   sum over tokens t of   w_t * (eta_1 H_t + eta_2 H_mask_t - gamma KL_t)

    w_t       token weight, as in the loss
    KL_t      estimate (k3) of KL(pi || pi_mask), by the policy with the image and with it masked
    H_t       -log pi, which estimates the entropy of the policy from the sampled token
    H_mask_t  -log pi_mask
"""

from dataclasses import replace
from typing import Literal, get_args

from torch import Tensor

from reasonrft.errors import BadInput
from reasonrft.losses.base import LossOutput
from reasonrft.worlds.drawing.light import BlackPatches, Effect

Gradient = Literal["image", "both"]


class PerceptionLoss:
    """Keeps the policy with an image away from the policy with that image masked."""

    def __init__(
        self,
        weight: float = 0.01,
        mask: Effect | None = None,
        gradient: Gradient = "image",
        entropy: float = 0.0,
        masked_entropy: float = 0.0,
        cap: float = 10.0,
    ) -> None:
        """
        Args:
            weight: Gamma, of the KL divergence, which is maximised.
            mask: What is done to the image; if not given, BlackPatches of 0.6 of it.
            gradient: What learns from the divergence: the policy with the image, as in the
                paper's release, or both, which needs another pass with gradient.
            entropy: Eta_1, weight of the entropy with the image, which is minimised.
            masked_entropy: Eta_2, the same with the masked image; needs gradient of both.
            cap: Largest estimate of the divergence at a token, where its gradient ends.
        """
        for name, value in {
            "weight": weight,
            "entropy": entropy,
            "masked_entropy": masked_entropy,
        }.items():
            if not 0 <= value < float("inf"):
                raise BadInput(f"perception's {name} must be a number of at least 0, not {value}")
        if not cap > 0:
            raise BadInput(f"perception's cap must be positive, not {cap}")
        if gradient not in get_args(Gradient):
            raise BadInput(f"perception's gradient must be image or both, not {gradient}")
        if masked_entropy and gradient != "both":
            raise BadInput("perception's masked_entropy has a gradient with gradient: both alone")
        self.weight, self.mask, self.gradient = weight, mask or BlackPatches(), gradient
        self.entropy, self.masked_entropy, self.cap = entropy, masked_entropy, cap

    def __call__(
        self, loss: LossOutput, log_probs: Tensor, masked: Tensor, weights: Tensor
    ) -> LossOutput:
        """The loss of a micro-batch with its part of the perception loss added.

        Args:
            loss: The policy loss.
            log_probs: Of the policy with the image (N,).
            masked: Of the policy with the image masked (N,).
            weights: Token weights (N,).
        """
        # Bounded, so that the gradient of what is beyond the cap is a number.
        log_ratio = (masked - log_probs).clamp(-20, 20)
        kl = (log_ratio.exp() - log_ratio - 1).clamp(max=self.cap)
        entropies = self.entropy * -log_probs + self.masked_entropy * -masked
        return replace(
            loss,
            total=loss.total + (weights * (entropies - self.weight * kl)).sum(),
            figures={**loss.figures, "perception_kl": (weights * kl).sum().detach()},
        )
