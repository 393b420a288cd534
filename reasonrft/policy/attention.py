"""How prompts that completions have in common come to a language model's attention.

B rows of S tokens, K heads of keys, N heads that ask each of them, D width of a head.
"""

from typing import Any, Protocol

from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "reasonrft"


class Sharing(Protocol):
    """Knows which tokens are prompts, and whose."""

    def attend(
        self,
        module: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        scaling: float,
        dropout: float,
    ) -> Tensor:  # (B, S, K x N, D)
        """What all tokens that are read attend to."""


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
    """The usual attention, unless the model was called with something that is shared.

    It comes as an argument, and not from outside, so that activation checkpointing, which calls
    layers again in the backward pass, brings it along.
    """
    if sharing is not None:
        return sharing.attend(module, query, key, value, scaling, dropout), None
    options |= {"scaling": scaling, "dropout": dropout}
    return sdpa_attention_forward(module, query, key, value, attention_mask, **options)


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)


def open_attention(model: PreTrainedModel) -> bool:
    """Let the language model's attention take what is shared; False where that is not possible.

    Models that support other attention than their own pass all arguments down to it.
    """
    config: Any = model.config.get_text_config()
    exchangeable = getattr(model.get_decoder(), "_supports_attention_backend", False)
    if not exchangeable or config._attn_implementation != "sdpa":
        return False
    config._attn_implementation = NAME
    return True
