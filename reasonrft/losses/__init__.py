"""Advantages, and one small class for each policy loss."""

from reasonrft.losses.advantages import Scale, group_advantages
from reasonrft.losses.base import Importance, LossInputs, LossOutput, PolicyLoss, kl_estimate
from reasonrft.losses.perception import PerceptionLoss
from reasonrft.losses.policy_losses import (
    BNPOLoss,
    CISPOLoss,
    DAPOLoss,
    DrGRPOLoss,
    GRPOLoss,
    GSPOLoss,
)
from reasonrft.losses.preference import preference_loss

__all__ = [
    "BNPOLoss",
    "CISPOLoss",
    "DAPOLoss",
    "DrGRPOLoss",
    "GRPOLoss",
    "GSPOLoss",
    "Importance",
    "LossInputs",
    "LossOutput",
    "PerceptionLoss",
    "PolicyLoss",
    "Scale",
    "group_advantages",
    "kl_estimate",
    "preference_loss",
]
