"""Attention in shared rows, prompt by prompt and completion by completion.

A mask over whole rows would hide most of what it lets be computed: completions do not see each
other, nor do groups.

B rows of S tokens, P prompts, G completions per prompt, L tokens of the longest prompt, T tokens of
the longest completion, K heads of keys, N heads that ask each of them, D width of a head.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from reasonrft.policy.layout import Group, added_to_scores


@dataclass(frozen=True)
class Blocks:
    """Where prompts and completions stand in the flattened rows."""

    shape: tuple[int, int]  # B, S
    prompts: Tensor  # (P, L)
    completions: Tensor  # (P x G, T)
    mask: Tensor  # (P x G, 1, T, L + T) what completions see of their prompt and of themselves
    back: Tensor  # (B x S,) where each token stands among those of prompts and of completions

    def attend(
        self,
        module: Any,
        query: Tensor,  # (B, K x N, S, D)
        key: Tensor,  # (B, K, S, D)
        value: Tensor,
        scaling: float,
        dropout: float,
    ) -> Tensor:  # (B, S, K x N, D)
        """Attention of prompts to themselves, of completions to their prompt and to themselves."""
        options: dict[str, Any] = {"scaling": scaling, "dropout": dropout}
        asked, keys, values = (_pick(states, self.prompts) for states in (query, key, value))
        # Padding on the right comes after all that could see it.
        of_prompts, _ = sdpa_attention_forward(
            module, asked, keys, values, None, is_causal=True, **options
        )
        asked, own_keys, own_values = (
            _pick(states, self.completions) for states in (query, key, value)
        )
        keys, values = _before(keys, own_keys), _before(values, own_values)
        of_completions, _ = sdpa_attention_forward(
            module, asked, keys, values, self.mask, **options
        )
        read = torch.cat([of_prompts.flatten(0, 1), of_completions.flatten(0, 1)])
        return read.index_select(0, self.back).unflatten(0, self.shape)

    def to(self, device: torch.device, dtype: torch.dtype) -> "Blocks":
        """The same with a mask that is added to scores of this type."""
        mask = added_to_scores(self.mask, dtype)
        moved = (one.to(device) for one in (self.prompts, self.completions, mask, self.back))
        return Blocks(self.shape, *moved)


def find_blocks(groups: Sequence[Group], starts: Sequence[int], shape: Sequence[int]) -> Blocks:
    """The blocks of groups of equal size that start at these places of rows of this shape."""
    prompts, known = _places(starts, [group.prompt.length for group in groups])
    completions, written = _places(
        [start + at for start, group in zip(starts, groups, strict=True) for at in group.begins],
        [len(ids) for group in groups for ids in group.completions],
    )
    rows = (shape[0], shape[1])
    return Blocks(
        rows,
        prompts,
        completions,
        _mask(known.repeat_interleave(len(groups[0].completions), dim=0), completions.shape[1]),
        _back(rows, [(prompts, known), (completions, written)]),
    )


def _places(starts: Sequence[int], lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Where the tokens of spans stand, the last one repeated, and which of them there are."""
    start, length = torch.tensor(starts)[:, None], torch.tensor(lengths)[:, None]
    steps = torch.arange(max(lengths))
    return start + steps.minimum(length - 1), steps < length


def _mask(known: Tensor, width: int) -> Tensor:
    """All of the prompt (P x G, L), and what stands before in a completion this long."""
    before = torch.ones(width, width, dtype=torch.bool).tril()
    to_prompt = known[:, None, None].expand(-1, 1, width, -1)
    return torch.cat([to_prompt, before.expand(len(known), 1, -1, -1)], -1)


def _back(shape: tuple[int, int], parts: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """The way back from parts to rows; padding is whatever comes first."""
    places, there = (torch.cat([part[at].flatten() for part in parts]) for at in range(2))
    back = torch.zeros(shape[0] * shape[1], dtype=torch.long)
    back[places[there]] = torch.arange(len(places))[there]
    return back


def _pick(states: Tensor, places: Tensor) -> Tensor:
    """The states (B, K, S, D) at these places (X, Y), as (X, K, Y, D)."""
    flat = states.transpose(1, 2).flatten(0, 1)  # (B x S, K, D)
    return flat.index_select(0, places.flatten()).unflatten(0, places.shape).transpose(1, 2)


def _before(shared: Tensor, own: Tensor) -> Tensor:
    """The states of prompts (P, K, L, D) before those of each completion (P x G, K, T, D)."""
    # Expanded, not indexed: the gradients of completions are then added up in one order.
    size = len(own) // len(shared)
    return torch.cat([shared[:, None].expand(-1, size, -1, -1, -1).flatten(0, 1), own], 2)
