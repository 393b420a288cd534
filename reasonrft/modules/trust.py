"""That a policy is scored as it samples."""

from collections.abc import Sequence

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import nn

from reasonrft.modules.ranks import gathered
from reasonrft.policy.layout import Group
from reasonrft.policy.policy import Policy
from reasonrft.policy.scoring import score


def switch_off_dropout(policy: Policy) -> None:
    """Whatever a checkpoint's configuration asks for: rollouts have none."""
    for part in policy.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
        for name in ("attention_dropout", "dropout"):  # as attention knows it, which is a function
            if isinstance(getattr(part, name, None), float):
                setattr(part, name, 0.0)


def doubt(policy: Policy, groups: Sequence[Group], exact: bool) -> None:
    """Hold the shared row of a group to plain rows; all ranks leave it if they differ on one."""
    if not policy.shares_rows:
        return
    shortest = [min(groups, key=lambda group: group.length)]
    with torch.no_grad():
        shared, plain = (score(policy, shortest, 1.0, way) for way in (True, False))
    differences = gathered((shared.log_probs - plain.log_probs).abs().mean().item())
    if not all(difference < (1e-4 if exact else 0.05) for difference in differences):
        policy.shares_rows = False
        rank_zero_warn(
            f"{policy.path} takes a row for every completion: in shared rows its "
            f"log-probabilities differ by {max(differences):.2g} on average"
        )
