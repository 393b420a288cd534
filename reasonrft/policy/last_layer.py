"""Leaves out of the last decoder layer what nobody reads.

After it, only hidden states are read that predict completion tokens. Of all other tokens, which
are those of prompts, it need compute keys and values alone:

    q_proj  o_proj  mlp     rows that are needed (hooks take them out, and put them back)
    attention               queries that are needed (`without_prompts`)
    k_proj  v_proj          all rows

Rows that are left out hold zeros, or what they were before. The hooks do nothing unless the model
was called with a `sharing` that knows its `needed` rows.
"""

from typing import Any

import torch
from torch import Tensor, nn

from reasonrft.policy.prefix_attention import SharedPrefixAttention

_ROW_BY_ROW = ("self_attn.q_proj", "self_attn.o_proj", "mlp")


class NeededRows:
    """The hooks of one layer, and the rows that are needed while it runs."""

    rows: Tensor | None = None
    shape: torch.Size

    def __init__(self, layer: nn.Module) -> None:
        # Not of the layer: activation checkpointing may call its forward without its hooks.
        layer.get_submodule("self_attn").register_forward_pre_hook(self._begin, with_kwargs=True)
        for name in _ROW_BY_ROW:
            module = layer.get_submodule(name)
            module.register_forward_pre_hook(self._take)
            module.register_forward_hook(self._put_back)

    def _begin(self, attention: nn.Module, args: Any, options: dict[str, Any]) -> Any:
        sharing, self.rows = options.get("sharing"), None
        if not isinstance(sharing, SharedPrefixAttention):
            return None
        self.rows = sharing.needed
        return args, {**options, "sharing": sharing.without_prompts()}

    def _take(self, module: nn.Module, args: Any) -> Any:
        if self.rows is None:
            return None
        states, *others = args
        self.shape = states.shape[:2]
        return states.flatten(0, 1).index_select(0, self.rows)[None], *others

    def _put_back(self, module: nn.Module, args: Any, output: Tensor) -> Tensor | None:
        if self.rows is None:
            return None
        everywhere = output.new_zeros(self.shape.numel(), output.shape[-1])
        return everywhere.index_copy(0, self.rows, output[0]).unflatten(0, self.shape)


def prune_last_layer(model: Any) -> None:
    """Let the last decoder layer compute what is needed, in models whose layers are as usual."""
    layer = model.get_decoder().layers[-1]
    names = {name for name, _ in layer.named_modules()}
    # Experts are chosen row by row too, but some families return more than the rows.
    if names.issuperset(_ROW_BY_ROW) and not hasattr(layer.mlp, "experts"):
        NeededRows(layer)
