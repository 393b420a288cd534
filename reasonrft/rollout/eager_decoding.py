"""Decoding as transformers does it: prompts repeated in every row, and caches that grow.

R unfinished rows, L prompt tokens, T completion tokens so far, V vocabulary, K heads of keys, D
head width.

The plain loop that `static_decoding.py` is held to, and that families take whose attention cannot
be told which tokens are whose (`policy/shared_prefix.py`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import Cache, DynamicLayer

from reasonrft.policy.policy import Policy
from reasonrft.rollout.ended_rows import OnEnded
from reasonrft.rollout.prefill import CACHE_NAME, Prefilled
from reasonrft.rollout.sampling import Sampling, choose
from reasonrft.rollout.static_decoding import OnToken

KEEP_ROWS_ABOVE = 7 / 8
"""Finished rows are dropped when at most this share is unfinished: dropping copies the others."""
CACHE_STEP = 64
"""Tokens by which a cache grows."""


@dataclass
class EagerRows:
    """The unfinished rows, and what the model keeps of them."""

    policy: Policy
    temperature: float
    cache: Any
    mask: Tensor  # (R, L + T)
    position: Tensor  # (R,) of the next token
    rows: Tensor  # (R,) the completion that each row is
    extras: dict[str, Tensor]
    """What else a family takes with every token."""

    def keep(self, unfinished: Tensor) -> None:
        """Drop the rows that are finished."""
        self.cache.batch_select_indices(unfinished)
        self.mask, self.position = self.mask[unfinished], self.position[unfinished]
        self.rows = self.rows[unfinished]
        self.extras = {name: value[unfinished] for name, value in self.extras.items()}

    def step(self, tokens: Tensor) -> Tensor:
        """Compute one token in each row: the log-probs of the token after it (R, V)."""
        self.mask = pad(self.mask, (0, 1), value=1)
        position = self.position[:, None]  # (R, 1)
        output = self.policy(
            input_ids=tokens[:, None],
            position_ids=position.expand(3, -1, -1) if self.policy.uses_mrope else position,
            attention_mask=self.mask,
            use_cache=True,
            **{CACHE_NAME: self.cache},
            **self.extras,
        )
        self.position = self.position + 1
        return self.policy.next_log_probs(output.last_hidden_state[:, -1], self.temperature)


def repeat(
    policy: Policy, prefilled: Prefilled, group_size: int, temperature: float
) -> tuple[EagerRows, Tensor]:
    """Every prompt as a group of rows, and the log-probs of their first token (R, V)."""
    preallocate(prefilled.cache)
    prefilled.cache.batch_repeat_interleave(group_size)
    mask, position, log_probs = (
        value.repeat_interleave(group_size, dim=0)
        for value in (prefilled.mask, prefilled.position, prefilled.log_probs)
    )
    extras = {
        name: value.repeat_interleave(group_size, dim=0) for name, value in prefilled.extras.items()
    }
    rows = torch.arange(len(mask), device=mask.device)
    state = EagerRows(policy, temperature, prefilled.cache, mask, position, rows, extras)
    return state, log_probs


def decode_eager(
    state: EagerRows,
    log_probs: Tensor,  # (R, V)
    uniform: Tensor,  # (R, max_tokens)
    sampling: Sampling,
    stop_ids: Collection[int],
    on_token: OnToken | None = None,
    on_ended: OnEnded | None = None,
) -> tuple[Tensor, Tensor, dict[str, float]]:
    """Sample all completions, token by token: ids, log-probs (R, max_tokens), and the work done.

    Args:
        state: The rows after prefill.
        log_probs: Log-probs of the first token.
        uniform: Random numbers of each completion.
        sampling: How tokens are chosen.
        stop_ids: Tokens that end a completion.
        on_token: Called with the rows and their new tokens.
        on_ended: Called with rows that have ended, while others go on.
    """
    total, limit, computed = len(state.rows), sampling.max_tokens, 0
    ids = torch.zeros(total, limit, dtype=torch.long, device=log_probs.device)
    sampled = log_probs.new_zeros(total, limit)
    stopped = torch.zeros(total, dtype=torch.bool, device=log_probs.device)
    stops = torch.tensor(sorted(stop_ids), device=log_probs.device)
    for turn in range(limit):
        rows = state.rows
        tokens = choose(log_probs, uniform[rows, turn], sampling)  # (R,)
        ids[rows, turn] = tokens
        sampled[rows, turn] = log_probs.gather(-1, tokens[:, None]).squeeze(-1)
        stopped[rows] |= torch.isin(tokens, stops)
        if on_token is not None:
            on_token(rows, tokens)
        unfinished = (~stopped[rows]).nonzero().squeeze(-1)
        if not len(unfinished) or turn + 1 == limit:
            break
        if on_ended is not None:
            on_ended(rows[stopped[rows]].tolist(), ids, sampled)
        if len(unfinished) <= KEEP_ROWS_ABOVE * len(rows):
            state.keep(unfinished)
            tokens = tokens[unfinished]
        computed += len(tokens)
        log_probs = state.step(tokens)
    work: dict[str, float] = {"row_steps": computed, "row_steps_saved": total * turn - computed}
    return ids, sampled, work


# Caches that grow in place.


class PreallocatedLayer(DynamicLayer):
    """Writes a token beside those before it, where the parent copies them all for every token."""

    keys: Any  # the parent's are None before the prefill
    values: Any
    _space: tuple[Tensor, Tensor]

    def __init__(self, layer: DynamicLayer) -> None:
        super().__init__()
        self.keys, self.values = layer.keys, layer.values
        self.dtype, self.device, self.is_initialized = self.keys.dtype, self.keys.device, True
        self._use_all()

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        start, end = self.keys.shape[-2], self.keys.shape[-2] + key_states.shape[-2]
        if end > self._space[0].shape[-2]:
            self._space = _enlarged(self.keys, end), _enlarged(self.values, end)
        for space, states in zip(self._space, (key_states, value_states), strict=True):
            space[..., start:end, :] = states
        self.keys, self.values = (space[..., :end, :] for space in self._space)
        return self.keys, self.values

    def batch_repeat_interleave(self, repeats: int) -> None:
        super().batch_repeat_interleave(repeats)
        self._use_all()

    def batch_select_indices(self, indices: Tensor) -> None:
        super().batch_select_indices(indices)
        self._use_all()

    def _use_all(self) -> None:
        self._space = self.keys, self.values


def _enlarged(states: Tensor, end: int) -> Tensor:
    """The same states (R, K, T, D) at the start of a larger space."""
    space = states.new_empty(*states.shape[:-2], end + CACHE_STEP, states.shape[-1])
    space[..., : states.shape[-2], :] = states
    return space


def is_full_cache(layer: Any) -> bool:
    """Whether a layer of a cache keeps every token, unlike sliding windows and the like."""
    return type(layer) is DynamicLayer and layer.is_initialized


def preallocate(cache: Cache) -> None:
    """Let the layers that keep all tokens grow in place."""
    for number, layer in enumerate(cache.layers):
        if is_full_cache(layer):
            cache.layers[number] = PreallocatedLayer(layer)  # type: ignore[arg-type]
