"""Attention of rows in which each prompt stands once, before its completions; no mask over rows.

    group   [ p0 p1 p2 | a0 a1 | b0 b1 b2 ]

    p0 p1        to themselves                     one causal attention for each group
    p2 a0 .. b2  to the whole prompt               one attention for each group, nothing hidden
    a0 .. b2     to their own completion           one causal attention for all groups

The last two are merged by their log-sum-exp: no key or value is copied for each completion, and
nothing is computed that a mask would hide. The first is left out in the last layer, after which
hidden states of prompts are not read (`last_layer.py`).

B rows of S tokens, R completions of M tokens in all, T tokens of the longest, K heads of keys,
N query heads for each, D head width. A place is a number below B x S: rows are flattened.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from reasonrft.policy.collate import to_device
from reasonrft.policy.fused_attention import Attended, attend, attend_backward, merge


@dataclass(frozen=True)
class Span:
    """Where a group stands in the flattened rows."""

    start: int
    split: int
    """Where its prompt ends and its completions begin."""
    end: int

    @property
    def prompt(self) -> slice:
        return slice(self.start, self.split)

    @property
    def before_end(self) -> slice:
        """The prompt but for its last token."""
        return slice(self.start, self.split - 1)

    @property
    def from_end(self) -> slice:
        """The prompt's last token and all completions: what sees the whole prompt."""
        return slice(self.split - 1, self.end)


@dataclass(frozen=True)
class SharedPrefixAttention:
    """Where groups and their completions stand in the flattened rows, and how they attend."""

    shape: tuple[int, int]  # B, S
    spans: tuple[Span, ...]
    completions: Tensor  # (R, T) places of completion tokens
    real: Tensor  # (R, T) whether a token is the completion's own: its last one fills it up
    tokens: Tensor  # (M,) places of the real ones
    back: Tensor  # (M,) where each of them stands in the flattened (R, T)
    needed: Tensor  # places of all that sees a whole prompt: completion tokens are predicted there
    only_needed: bool = False
    """Whether nothing else is computed."""

    def attend(
        self,
        module: Any,
        query: Tensor,  # (B, K x N, S, D)
        key: Tensor,  # (B, K, S, D)
        value: Tensor,
        scaling: float,
        dropout: float,
    ) -> Tensor:  # (B, S, K x N, D)
        """Prompts attend to themselves; completions to their prompt and to themselves."""
        if dropout:
            raise ValueError("attention in parts has no dropout")
        states = [each.transpose(1, 2).flatten(0, 1) for each in (query, key, value)]
        if torch.is_autocast_enabled(query.device.type):
            dtype = torch.get_autocast_dtype(query.device.type)
            states = [each.to(dtype) for each in states]
        output: Tensor = _Attention.apply(*states, self, scaling)
        return output.unflatten(0, self.shape)

    def to_prompts(self) -> Iterator[tuple[slice, slice, bool]]:
        """Queries, the keys of their prompt, and whether they see only the keys before them."""
        for span in self.spans:
            if span.split - span.start > 1 and not self.only_needed:
                yield span.before_end, span.before_end, True
            yield span.from_end, span.prompt, False

    def take_completions(self, states: Tensor) -> Tensor:  # (R, K, T, D)
        """The states of completions, from those (B x S, K, D) of all places."""
        rows = states.index_select(0, self.completions.flatten())
        return rows.unflatten(0, self.completions.shape).transpose(1, 2)

    def take_tokens(self, states: Tensor) -> Tensor:  # (M, K, D)
        """The states (R, K, T, D) of completions, those of each token once."""
        return states.transpose(1, 2).flatten(0, 1).index_select(0, self.back)

    def without_prompts(self) -> "SharedPrefixAttention":
        """The same for a last layer, after which only what is needed is read."""
        return replace(self, only_needed=True)

    def to(self, device: torch.device) -> "SharedPrefixAttention":
        """The same on a device."""
        names = ("completions", "real", "tokens", "back", "needed")
        moved: dict[str, Any] = to_device({name: getattr(self, name) for name in names}, device)
        return replace(self, **moved)


def plan_attention(
    prompts: Sequence[int],
    completions: Sequence[Sequence[int]],
    starts: Sequence[int],
    shape: Sequence[int],
) -> SharedPrefixAttention:
    """The attention of groups, given the lengths of prompts and completions.

    Args:
        prompts: Tokens of each prompt.
        completions: Tokens of each completion, group by group.
        starts: Where each group starts in the flattened rows.
        shape: Rows and their length.
    """
    spans = tuple(
        Span(start, start + length, start + length + sum(own))
        for start, length, own in zip(starts, prompts, completions, strict=True)
    )
    lengths = torch.tensor([length for own in completions for length in own])[:, None]
    begins = [
        begin
        for span, own in zip(spans, completions, strict=True)
        for begin in accumulate(own[:-1], initial=span.split)
    ]
    steps = torch.arange(int(lengths.max()))
    places = torch.tensor(begins)[:, None] + steps.minimum(lengths - 1)
    real = steps < lengths
    return SharedPrefixAttention(
        shape=(shape[0], shape[1]),
        spans=spans,
        completions=places,
        real=real,
        tokens=places[real],
        back=real.flatten().nonzero().squeeze(-1),
        needed=torch.cat([torch.arange(span.split - 1, span.end) for span in spans]),
    )


class _Attention(torch.autograd.Function):
    """The attentions of a layer, which keep what a single one would, and no copy of any key."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,  # (B x S, K x N, D)
        key: Tensor,  # (B x S, K, D)
        value: Tensor,
        plan: SharedPrefixAttention,
        scale: float,
    ) -> Tensor:  # (B x S, K x N, D)
        output = query.new_zeros(query.shape)
        exact = torch.promote_types(query.dtype, torch.float32)
        lse = query.new_zeros(query.shape[:2], dtype=exact)
        rests = []
        for queries, keys, causal in plan.to_prompts():
            states = (_block(query, queries), _block(key, keys), _block(value, keys))
            found = attend(*states, scale, causal)
            output[queries], lse[queries] = found.output[0].transpose(0, 1), found.lse[0].T
            rests.append(found.rest)
        queries_of, keys_of, values_of = map(plan.take_completions, (query, key, value))
        own = attend(queries_of, keys_of, values_of, scale, causal=True)
        to_prompt = (output.index_select(0, plan.tokens), lse.index_select(0, plan.tokens))
        to_itself = (plan.take_tokens(own.output), plan.take_tokens(own.lse[..., None])[..., 0])
        merged, merged_lse = merge(to_prompt, to_itself)
        output.index_copy_(0, plan.tokens, merged)
        lse.index_copy_(0, plan.tokens, merged_lse)
        ctx.save_for_backward(query, key, value, output, lse)
        ctx.plan, ctx.scale, ctx.rests, ctx.own_rest = plan, scale, rests, own.rest
        return output

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        query, key, value, output, lse = ctx.saved_tensors
        plan, scale, gradient = ctx.plan, ctx.scale, gradients[0]
        totals = [each.new_zeros(each.shape) for each in (query, key, value)]
        for (queries, keys, causal), rest in zip(plan.to_prompts(), ctx.rests, strict=True):
            states = (_block(query, queries), _block(key, keys), _block(value, keys))
            attended = Attended(_block(output, queries), lse[queries].T[None], rest)
            parts = attend_backward(_block(gradient, queries), *states, attended, scale, causal)
            for total, places, part in zip(totals, (queries, keys, keys), parts, strict=True):
                total[places] += part[0].transpose(0, 1)
        queries_of, keys_of, values_of = map(plan.take_completions, (query, key, value))
        own_lse = plan.take_completions(lse[..., None])[..., 0]
        attended = Attended(plan.take_completions(output), own_lse, ctx.own_rest)
        # What fills up a completion is not asked for.
        asked = plan.take_completions(gradient) * plan.real[:, None, :, None]
        parts = attend_backward(asked, queries_of, keys_of, values_of, attended, scale, causal=True)
        for total, part in zip(totals, parts, strict=True):
            total.index_add_(0, plan.tokens, plan.take_tokens(part))
        return *totals, None, None


def _block(states: Tensor, places: slice) -> Tensor:
    """The states (B x S, K, D) at these places, as a sequence (1, K, Y, D)."""
    return states[places].transpose(0, 1)[None]
