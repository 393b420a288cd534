"""Log-probs in the plainest way: the model's own forward on one row, a softmax over all tokens."""

import torch
from torch import Tensor

from reasonrft.policy import Policy
from reasonrft.policy.collate import extend
from reasonrft.policy.encoder import Prompt


def plain_log_probs(
    policy: Policy, prompt: Prompt, ids: Tensor, temperature: float = 1.0, bans: bool = True
) -> Tensor:
    """Of tokens (T,) after a prompt; sampling bans image placeholders."""
    logits = policy.model(**extend(prompt.inputs, ids)).logits[0].float() / temperature
    if bans:
        logits[:, policy.placeholders] = -torch.inf
    log_probs = logits[prompt.length - 1 : -1].log_softmax(-1)
    return log_probs.gather(-1, ids[:, None]).squeeze(-1)
