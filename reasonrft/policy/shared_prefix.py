"""How a shared prefix gets into a language model's attention, and for which models that is exact.

A prompt that several completions share is computed once. Attention then needs to know which tokens
are prompts and which completions belong to them. This file registers an attention implementation
that takes this knowledge as one argument, `sharing`, and passes the work on to it:

    scoring   `SharedPrefixAttention` in prefix_attention.py     [prompt | c1 | ... | cG] in a row
    decoding  `StaticAttention` in rollout/static_attention.py   one new token in each row

B rows of S tokens, K heads of keys, N query heads for each of them, D width of a head.
"""

from typing import Any, Protocol

from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "reasonrft"


class Sharing(Protocol):
    """Knows which tokens are prompts, and of which completions."""

    def attend(
        self,
        module: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        scaling: float,
        dropout: float,
    ) -> Tensor:  # (B, S, K x N, D)
        """The output of attention for all tokens of a forward pass."""


def attend(
    module: Any,
    query: Tensor,  # (B, K x N, S, D)
    key: Tensor,  # (B, K, S, D)
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    sharing: Sharing | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """SDPA, unless the model was called with a `sharing`.

    It comes as an argument, and not from a global, because activation checkpointing calls layers
    again in the backward pass with the same arguments.
    """
    if sharing is not None:
        return sharing.attend(module, query, key, value, scaling, dropout), None
    options |= {"scaling": scaling, "dropout": dropout}
    return sdpa_attention_forward(module, query, key, value, attention_mask, **options)


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)


def register_attention(model: PreTrainedModel) -> bool:
    """Let the language model's attention take a `sharing`; False where that is not possible.

    Models that support attention other than their own pass all arguments down to it.
    """
    config: Any = model.config.get_text_config()
    exchangeable = getattr(model.get_decoder(), "_supports_attention_backend", False)
    if not exchangeable or config._attn_implementation != "sdpa":
        return False
    config._attn_implementation = NAME
    return True


def unsupported_reason(model: Any) -> str | None:
    """Why a shared prefix would change the model's log-probs, or None if it would not."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"} or getattr(config, "sliding_window", None):
        return f"its layers are {', '.join(sorted(kinds | _window(config)))}"
    if getattr(config, "cross_attention_layers", None):
        return "its images come in by cross-attention, outside the row"
    if getattr(config, "attn_logit_softcapping", None):
        return "its attention is soft-capped"
    if getattr(config, "use_bidirectional_attention", None):
        return "its attention is bidirectional"
    return None


def _window(config: Any) -> set[str]:
    window = getattr(config, "sliding_window", None)
    return {f"sliding windows of {window}"} if window else set()
