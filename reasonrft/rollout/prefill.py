"""Reading prompts: each once, with its images, for all completions that follow.

P prompts, L prompt tokens, V vocabulary, K heads of keys, D head width.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.utils import ModelOutput

from reasonrft.policy.encoder import PromptBatch
from reasonrft.policy.policy import Policy

CACHE_NAME = "cache" if hasattr(ModelOutput, "past_key_values") else "past_key_values"
"""What models call their cache: transformers 5.24 has renamed it, and warns of the old name."""


@dataclass
class Prefilled:
    """What the model keeps of prompts, and what it says of the token after each."""

    cache: Any  # of each layer (P, K, L, D)
    mask: Tensor  # (P, L) which tokens are real; prompts are padded on the left
    position: Tensor  # (P,) of the next token
    log_probs: Tensor  # (P, V)
    extras: dict[str, Tensor]
    """What else a family takes with every token."""


def prefill(policy: Policy, batch: PromptBatch, temperature: float) -> Prefilled:
    """Compute every prompt once."""
    features = policy.encode_images(batch.prompts)
    inputs = policy.collate([prompt.inputs for prompt in batch.prompts], "left", features)
    mask = inputs["attention_mask"]
    if not policy.uses_mrope:
        inputs["position_ids"] = (mask.cumsum(-1) - 1).clamp_min(0)
    output = policy(**inputs, use_cache=True)
    ends = torch.stack([policy.positions(prompt).max() for prompt in batch.prompts])
    extras = {
        name: value[:, -1:] for name, value in inputs.items() if name == "cross_attention_mask"
    }
    log_probs = policy.next_log_probs(output.last_hidden_state[:, -1], temperature)
    cache = getattr(output, CACHE_NAME)
    return Prefilled(cache, mask, ends.to(policy.device) + 1, log_probs, extras)
