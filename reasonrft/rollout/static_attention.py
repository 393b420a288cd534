"""Attention of one new token in each row, over caches with room for the tokens to come.

P prompts, R rows, W most rows of one prompt, L prompt tokens, S tokens that a row has room for, K
heads of keys, N query heads of each, D head width.

    prompts repeated   row r attends to    [ prompt of r | tokens of r | room ]   (R, K, S, D)
    prompts shared     row r attends to    [ prompt p ]                           (P, K, L, D)
                                           [ tokens of r | room ]                 (R, K, S, D)

Shared prompts exist once, and the rows of a prompt ask it together, as one block of queries. On a
GPU both parts are fused attentions of their own, merged by the sums of their exponentials
(Hydragen, arXiv 2402.05099). On a CPU, where fused attention of so few queries is slow, they share
a softmax.

The place where a token is written stands in a tensor, and masks hide the room behind it: nothing
here depends on how many tokens there are, so that it can be captured once for many of them.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import Cache, DynamicLayer

ALIGN = 16
"""Fused attention copies masks whose rows are no multiple of this."""


class StaticLayer(DynamicLayer):
    """Keys and values of rows in one layer, and room for more; shared prompts stand apart."""

    keys: Any  # (R, K, S, D)
    values: Any

    def __init__(self, layer: Any, place: Tensor, shared: bool) -> None:
        super().__init__()
        self.place = place
        # Autocast leaves keys in float32, and casts them for every product.
        keys, self.values = layer.keys.to(layer.values.dtype), layer.values
        self.keys, self.prompts = keys, None
        if shared:
            self.prompts = aligned(keys), aligned(self.values)
            self.keys, self.values = keys[..., :0, :], self.values[..., :0, :]
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        self.keys.index_copy_(2, self.place, key_states.to(self.keys.dtype))
        self.values.index_copy_(2, self.place, value_states)
        return self.keys, self.values

    def resize(self, rows: Tensor, size: int) -> None:
        """Keep these rows, and make room for so many tokens."""
        self.keys, self.values = (_resized(held, rows, size) for held in (self.keys, self.values))


def _resized(held: Tensor, rows: Tensor, size: int) -> Tensor:
    kept = min(size, held.shape[2])
    space = held.new_zeros(len(rows), held.shape[1], size, held.shape[3])
    space[:, :, :kept] = held[rows, :, :kept]
    return space


def aligned(states: Tensor, dim: int = 2, value: float = 0.0) -> Tensor:
    """States with so many more along a dimension that fused attention takes them as they are."""
    more = -states.shape[dim] % ALIGN
    if not more:
        return states
    return pad(states, [0, 0] * (states.ndim - 1 - dim) + [0, more], value=value)


class RowGrid:
    """The place of each row in a grid of prompts and their rows (P, W).

    rows        r0 r1 r2 r3 r4          prompt of each   0 0 0 1 1
    grid        [ r0 r1 r2 ]            of prompt 0
                [ r3 r4 r0 ]            of prompt 1; the free place holds any row
    """

    def __init__(self, prompt_of: Sequence[int], prompts: int, device: torch.device) -> None:
        members: list[list[int]] = [[] for _ in range(prompts)]
        for row, prompt in enumerate(prompt_of):
            members[prompt].append(row)
        self.width = max(map(len, members))
        self.full = all(len(rows) == self.width for rows in members)
        place = [0] * len(prompt_of)
        for prompt, rows in enumerate(members):
            for at, row in enumerate(rows):
                place[row] = prompt * self.width + at
        grid = [row for rows in members for row in rows + [0] * (self.width - len(rows))]
        self.row, self.place = torch.tensor([grid, [*place, *[0] * (len(grid) - len(place))]]).to(
            device
        )
        self.place = self.place[: len(place)]

    def gather(self, values: Tensor) -> Tensor:
        """Values of rows (R, K, N, X), as (P, K, W x N, X)."""
        grid = values if self.full else values[self.row]
        return grid.unflatten(0, (-1, self.width)).transpose(1, 2).flatten(2, 3)

    def scatter(self, values: Tensor) -> Tensor:
        """The way back."""
        rows = values.unflatten(2, (self.width, -1)).transpose(1, 2).flatten(0, 1)
        return rows if self.full else rows[self.place]


class StaticAttention:
    """The caches of all rows, what is visible in them, and the attention over them."""

    def __init__(self, cache: Cache, mask: Tensor, shared: bool, merged: bool) -> None:
        """
        Args:
            cache: The prompts' (P, K, L, D).
            mask: Which of their tokens are real (P, L).
            shared: Keep prompts apart, once for all their rows.
            merged: Compute shared prompts and own tokens apart, and merge them.
        """
        self.shared, self.merged = shared, merged
        self.place = mask.new_zeros(1)
        layers: list[Any] = [StaticLayer(layer, self.place, shared) for layer in cache.layers]
        self.cache = Cache(layers=layers)
        dtype = layers[0].dtype
        hidden = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
        hidden = hidden.masked_fill(mask == 0, -torch.inf)
        self.padding = aligned(hidden, 1, -torch.inf)[:, None, None]  # (P, 1, 1, L)
        self.ragged = bool((self.padding != 0).any())
        self.prefix = 0 if shared else mask.shape[1]
        self.place.fill_(self.prefix)
        # (R, 1, 1, S) with repeated prompts, else the same for all rows.
        self.visible = hidden[:1, None, None, :0] if shared else hidden[:, None, None]
        self.grid: RowGrid | None = None

    def resize(self, rows: Tensor, prompt_of: Sequence[int], room: int) -> None:
        """Keep these of the rows, which belong to these prompts, with room for so many tokens."""
        size = self.prefix + room
        size += -size % ALIGN
        layers: Any = self.cache.layers
        for layer in layers:
            layer.resize(rows, size)
        visible = self.visible if self.shared else self.visible[rows]
        more = size - visible.shape[-1]
        self.visible = (
            pad(visible, (0, more), value=-torch.inf)
            if more > 0
            else visible[..., :size].contiguous()
        )
        if self.shared:
            self.grid = RowGrid(prompt_of, len(self.padding), rows.device)

    def begin(self) -> None:
        """Let every row see its new token, before attention writes it there."""
        self.visible.index_fill_(3, self.place, 0.0)

    def end(self) -> None:
        """The next token is written behind it."""
        self.place.add_(1)

    def attend(
        self,
        module: Any,
        query: Tensor,  # (R, K x N, 1, D)
        key: Tensor,  # (R, K, S, D)
        value: Tensor,
        scaling: float,
        dropout: float,
    ) -> Tensor:  # (R, 1, K x N, D)
        """Attention of one new token in each row to its prompt and to the row's own tokens."""
        layer: Any = self.cache.layers[module.layer_idx]
        queries = query.squeeze(2).unflatten(1, (key.shape[1], -1)).to(value.dtype)  # (R, K, N, D)
        if self.grid is None:
            output = scaled_dot_product_attention(
                queries, key, value, attn_mask=self.visible, scale=scaling
            )
        elif self.merged:
            output = self._merge(self.grid, layer.prompts, queries, key, value, scaling)
        else:
            output = self._join(self.grid, layer.prompts, queries, key, value, scaling)
        return output.flatten(1, 2)[:, None]

    def _join(
        self,
        grid: RowGrid,
        prompts: Any,
        queries: Tensor,
        key: Tensor,
        value: Tensor,
        scaling: float,
    ) -> Tensor:
        """One softmax over prompt and own tokens."""
        queries = queries * scaling
        to_prompt = grid.gather(queries) @ prompts[0].mT
        if self.ragged:
            to_prompt = to_prompt + self.padding
        logits = torch.cat([grid.scatter(to_prompt), queries @ key.mT + self.visible], -1)
        weights = logits.softmax(-1, dtype=torch.float32).to(value.dtype)
        of_prompt, of_own = weights.tensor_split([prompts[0].shape[-2]], -1)
        return grid.scatter(grid.gather(of_prompt) @ prompts[1]) + of_own @ value

    def _merge(
        self,
        grid: RowGrid,
        prompts: Any,
        queries: Tensor,
        key: Tensor,
        value: Tensor,
        scaling: float,
    ) -> Tensor:
        """Two attentions; each counts by its share of the exponentials."""
        of_prompt = attention_and_sum(
            grid.gather(queries), prompts[0], prompts[1], self.padding, scaling
        )
        output, log_sum = (grid.scatter(states) for states in of_prompt)
        own, own_log_sum = attention_and_sum(queries, key, value, self.visible, scaling)
        return torch.lerp(own, output, (log_sum - own_log_sum).sigmoid().to(own.dtype))


def attention_and_sum(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scaling: float
) -> tuple[Tensor, Tensor]:  # (B, K, N, D), (B, K, N, 1)
    """Fused attention, and the logarithm of the sum of its exponentials."""
    mask = mask.expand(len(query), query.shape[1], query.shape[2], -1)
    aten: Any = torch.ops.aten
    if query.is_cuda:
        fused = aten._scaled_dot_product_efficient_attention
        output, log_sum, *_ = fused(query, key, value, mask, True, scale=scaling)
    else:
        fused = aten._scaled_dot_product_flash_attention_for_cpu
        output, log_sum = fused(query, key, value, attn_mask=mask, scale=scaling)
    return output, log_sum[..., : query.shape[2], None]
