"""Log-probabilities of given completions.

P prompts, G completions per prompt, B rows of S tokens, N completion tokens in all, H hidden width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reasonrft.policy.batching import extend
from reasonrft.policy.blocks import find_blocks
from reasonrft.policy.layout import (
    Group,
    Layout,
    added_to_scores,
    dense_predictors,
    lay_out,
    pack,
    row_inputs,
)
from reasonrft.policy.logits import token_log_probs
from reasonrft.policy.policy import Policy


@dataclass(frozen=True)
class Scores:
    """What a policy thinks of given completions, token after token, group after group."""

    log_probs: Tensor  # (N,)
    entropy: Tensor  # (N,)


def score(
    policy: Policy,
    groups: Sequence[Group],
    temperature: float = 1.0,
    shared: bool = True,
    row_tokens: int = 0,
    as_sampled: bool = True,
) -> Scores:
    """Score all completions, in the order of groups.

    Args:
        policy: The model.
        groups: Prompts with their completions.
        temperature: That of the sampling.
        shared: Let completions share a row with their prompt, in families where that is exact.
        row_tokens: Put several groups into one row of at most this many tokens.
        as_sampled: Leave out the tokens that sampling leaves out: those that stand for pictures.
    """
    shared = shared and policy.shares_rows
    hidden = _shared(policy, groups, row_tokens) if shared else _dense(policy, groups)
    targets = torch.cat([ids for group in groups for ids in group.completions]).to(hidden.device)
    return Scores(
        *token_log_probs(
            hidden,
            targets,
            policy.head,
            temperature,
            policy.banned() if as_sampled else None,
            policy.logit_chunk,
        )
    )


def _dense(policy: Policy, groups: Sequence[Group]) -> Tensor:  # (N, H)
    """One row for each completion, each with its prompt: the plain way."""
    rows = [extend(group.prompt.inputs, ids) for group in groups for ids in group.completions]
    sights = policy.look([group.prompt for group in groups for _ in group.completions])
    inputs = policy.join(rows, "right", sights)
    # Padding on the right comes after all that could see it.
    del inputs["attention_mask"]
    hidden = policy(**inputs, use_cache=False).last_hidden_state  # (B, S, H)
    places = dense_predictors(groups, hidden.shape[1])
    return hidden.flatten(0, 1)[places.to(hidden.device)]


def _shared(policy: Policy, groups: Sequence[Group], row_tokens: int) -> Tensor:  # (N, H)
    """One row for each group, or for several: each prompt stands there once."""
    split = policy.shares_attention and len({len(group.completions) for group in groups}) == 1
    lengths = [group.length for group in groups]
    # Where attention is split anyway, no group needs a row of its own, nor padding.
    rows = pack(lengths, row_tokens or (sum(lengths) if split else 0))
    layout = lay_out(groups, [policy.positions(group.prompt) for group in groups], rows)
    lines = [row_inputs([groups[item] for item in row]) for row in rows]
    sights = policy.look([groups[item].prompt for row in rows for item in row])
    inputs = policy.join(lines, "right", sights)
    positions = layout.positions.to(policy.device)  # (C, B, S)
    inputs |= _split(policy, groups, layout) if split else _masked(policy, layout)
    inputs["position_ids"] = positions if len(positions) > 1 else positions[0]
    hidden = policy(**inputs, use_cache=False).last_hidden_state  # (B, S, H)
    return hidden.flatten(0, 1)[layout.predictors.to(policy.device)]


def _split(policy: Policy, groups: Sequence[Group], layout: Layout) -> dict[str, Any]:
    """Who sees whom, as blocks."""
    blocks = find_blocks(groups, layout.starts, layout.completions.shape)
    dtype = policy.model.dtype
    # Families make no mask where they are given one; whoever looked at this would find no numbers.
    unseen = torch.full((1, 1, 1, 1), torch.nan, dtype=dtype, device=policy.device)
    return {"sharing": blocks.to(policy.device, dtype), "attention_mask": unseen}


def _masked(policy: Policy, layout: Layout) -> dict[str, Any]:
    """Who sees whom, as a mask."""
    visible = layout.mask[:, None].to(policy.device)  # (B, 1, S, S)
    return {"attention_mask": added_to_scores(visible, policy.model.dtype)}
