"""Log-probabilities of given tokens, without ever holding the logits of all positions.

N positions, H hidden width, V vocabulary.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

Head = Callable[[Tensor], Tensor]


def token_log_probs(
    hidden: Tensor,  # (N, H)
    targets: Tensor,  # (N,)
    head: Head,
    temperature: float = 1.0,
    banned: Tensor | None = None,  # (V,) bool
    chunk: int = 1024,
) -> tuple[Tensor, Tensor]:  # (N,), (N,)
    """Log-probability of each target and the entropy where it stands, in float32.

    Logits exist for one chunk of positions at a time, in the backward pass too.
    """
    pieces = [
        _score_chunk(part, wanted, head, temperature, banned)
        if not torch.is_grad_enabled()
        else checkpoint(_score_chunk, part, wanted, head, temperature, banned, use_reentrant=False)
        for part, wanted in zip(hidden.split(chunk), targets.split(chunk), strict=True)
    ]
    return torch.cat([logp for logp, _ in pieces]), torch.cat([entropy for _, entropy in pieces])


def _score_chunk(
    hidden: Tensor, targets: Tensor, head: Head, temperature: float, banned: Tensor | None
) -> tuple[Tensor, Tensor]:
    log_probs = scaled_logits(head(hidden), temperature, banned).log_softmax(-1)  # (N, V)
    chosen = log_probs.gather(-1, targets[:, None]).squeeze(-1)
    with torch.no_grad():
        # A banned token has probability 0 and log-probability -inf, whose product is no number.
        entropy = -(log_probs.exp() * log_probs.clamp_min(torch.finfo(torch.float32).min)).sum(-1)
    return chosen, entropy


def scaled_logits(logits: Tensor, temperature: float, banned: Tensor | None) -> Tensor:
    """Logits as sampling and scoring alike use them: float32, tempered, without banned tokens."""
    logits = logits.float() / temperature
    return logits if banned is None else logits.masked_fill(banned, -torch.inf)
