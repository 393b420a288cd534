"""Attention of one new token in each row, over caches with room for the tokens to come.

P prompts, R rows, W most rows of one prompt, L prompt tokens, C chunks of them, S tokens that a row
has room for, K heads of keys, N query heads of each, D head width.

    prompts repeated   row r attends to    [ prompt of r | tokens of r | room ]   (R, K, S, D)
    prompts shared     row r attends to    [ prompt p ]                           (P, K, L, D)
                                           [ tokens of r | room ]                 (R, K, S, D)

Shared prompts exist once, and the rows of a prompt ask it together, as one block of queries. On a
GPU chunks of prompts and own tokens are fused attentions of their own, so that there is work for
all of it. They are merged by the sums of their exponentials (Hydragen, arXiv 2402.05099). On a CPU,
where fused attention of so few queries is slow, prompt and own tokens share a softmax.

Attention of a decode step in 28 layers of 12 heads and 2 heads of keys (Qwen2-VL-2B), prompts of
2,048 tokens, bfloat16, captured, on an H200 (2026-11-27):

    rows                                  16        64        128
    repeated, cuDNN                       0.46 ms   1.13 ms   2.06 ms
    repeated, query heads as queries      1.42      1.56      2.91
    shared, merged from 8 chunks          1.56      1.84      2.31
    shared, one softmax                   1.24      1.97      3.00
    shared, merged from prompt and own    3.66      3.81      4.01

The place where a token is written stands in a tensor, and masks hide the room behind it: nothing
here depends on how many tokens there are, so that it can be captured once for many of them.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.backends.cuda import SDPAParams, can_use_cudnn_attention
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import Cache, DynamicLayer

ALIGN = 16
"""Fused attention copies masks whose rows are no multiple of this."""
CHUNK = 256
"""Tokens of a chunk. On a GPU all sizes are multiples of it: cuDNN makes a plan for every shape."""
SHARED_ABOVE = 330_000
"""Tokens of repeated prompts from which on shared ones are faster on a GPU, by the table above."""


class StaticLayer(DynamicLayer):
    """Keys and values of rows in one layer, and room for more; shared prompts stand apart."""

    keys: Any  # (R, K, S, D)
    values: Any

    def __init__(self, layer: Any, place: Tensor, shared: bool) -> None:
        super().__init__()
        self.place = place
        # Autocast leaves both in float32, and casts them for every product.
        dtype, kind = layer.values.dtype, layer.values.device.type
        if torch.is_autocast_enabled(kind):
            dtype = torch.get_autocast_dtype(kind)
        keys, self.values = layer.keys.to(dtype), layer.values.to(dtype)
        self.keys, self.prompts = keys, None
        if shared:
            self.prompts = keys, self.values
            self.keys, self.values = keys[..., :0, :], self.values[..., :0, :]
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        self.keys.index_copy_(2, self.place, key_states.to(self.keys.dtype))
        self.values.index_copy_(2, self.place, value_states.to(self.values.dtype))
        return self.keys, self.values

    def resize(self, rows: Tensor, size: int) -> None:
        """Keep these rows, and make room for so many tokens."""
        self.keys, self.values = (_resized(held, rows, size) for held in (self.keys, self.values))


def _resized(held: Tensor, rows: Tensor, size: int) -> Tensor:
    kept = min(size, held.shape[2])
    space = held.new_zeros(len(rows), held.shape[1], size, held.shape[3])
    space[:, :, :kept] = held[rows, :, :kept]
    return space


def in_chunks(states: Tensor, value: float = 0.0) -> Tensor:
    """States of prompts (P, K, L, D) as (P, K x C, CHUNK, D)."""
    states = pad(states, (0, 0, 0, -states.shape[2] % CHUNK), value=value)
    return states.unflatten(2, (-1, CHUNK)).flatten(1, 2)


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
        self.row, self.place = torch.tensor(grid + place).to(device).split([len(grid), len(place)])

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
        states = layers[0].values
        self.hidden = torch.finfo(states.dtype).min
        padding = torch.zeros(mask.shape, dtype=states.dtype, device=mask.device)
        padding = padding.masked_fill(mask == 0, self.hidden)[:, None, None]  # (P, 1, 1, L)
        self.ragged = bool((mask == 0).any())
        self.prefix = 0 if shared else mask.shape[1]
        self.place.fill_(self.prefix)
        # (R, 1, 1, S) with repeated prompts, else the same for all rows.
        self.visible = padding[:1, ..., :0] if shared else padding
        self.padding, self.grid = padding, None
        if shared and merged:
            self.padding = in_chunks(padding.mT.expand(-1, states.shape[1], -1, -1), self.hidden).mT
            for layer in layers:
                layer.prompts = tuple(map(in_chunks, layer.prompts))

    grid: RowGrid | None

    def resize(self, rows: Tensor, prompt_of: Sequence[int], room: int) -> None:
        """Keep these of the rows, which belong to these prompts, with room for so many tokens."""
        size = self.prefix + room
        size += -size % (CHUNK if rows.is_cuda else ALIGN)
        layers: Any = self.cache.layers
        for layer in layers:
            layer.resize(rows, size)
        visible = self.visible if self.shared else self.visible[rows]
        more = max(0, size - visible.shape[-1])
        self.visible = pad(visible[..., :size], (0, more), value=self.hidden)
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
            output = repeated_attention(queries, key, value, self.visible, scaling)
        else:
            attention = self._merge if self.merged else self._join
            output = attention(self.grid, layer.prompts, queries, key, value, scaling)
        return output.flatten(1, 2)[:, None]

    def _join(
        self,
        grid: RowGrid,
        prompts: tuple[Tensor, Tensor],  # (P, K, L, D)
        queries: Tensor,  # (R, K, N, D)
        key: Tensor,  # (R, K, S, D)
        value: Tensor,
        scaling: float,
    ) -> Tensor:  # (R, K, N, D)
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
        prompts: tuple[Tensor, Tensor],  # (P, K x C, CHUNK, D)
        queries: Tensor,  # (R, K, N, D)
        key: Tensor,  # (R, K, S, D)
        value: Tensor,
        scaling: float,
    ) -> Tensor:  # (R, K, N, D)
        """Attention over each chunk and over own tokens; each counts by its exponentials."""
        heads, chunks = key.shape[1], prompts[0].shape[1] // key.shape[1]
        block = grid.gather(queries).repeat_interleave(chunks, 1)  # (P, K x C, W x N, D)
        of_chunks = attention_and_sum(block, prompts[0], prompts[1], self.padding, scaling)
        of_own = attention_and_sum(queries, key, value, self.visible, scaling)
        output, log_sum = (
            torch.cat([grid.scatter(prompt).unflatten(1, (heads, chunks)), own[:, :, None]], 2)
            for prompt, own in zip(of_chunks, of_own, strict=True)
        )  # (R, K, C + 1, N, D), (R, K, C + 1, N, 1)
        return (output * log_sum.softmax(2).to(output.dtype)).sum(2)


def repeated_attention(
    query: Tensor,  # (R, K, N, D)
    key: Tensor,  # (R, K, S, D)
    value: Tensor,
    mask: Tensor,
    scaling: float,
) -> Tensor:  # (R, K, N, D)
    """Fused attention of one token in each row."""
    if query.is_cuda:
        heads = query.flatten(1, 2)[:, :, None]  # (R, K x N, 1, D)
        params = SDPAParams(heads, key, value, mask, 0.0, False, True)
        # It shares keys among query heads, and is parallel over tokens; with float32 it is neither.
        with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):
            if can_use_cudnn_attention(params):
                output = scaled_dot_product_attention(
                    heads, key, value, attn_mask=mask, scale=scaling, enable_gqa=True
                )
                return output.reshape(query.shape)
    return scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scaling)


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
