"""Writing completions token by token, in rows that are dropped when they are finished.

R rows still going, L prompt tokens, T completion tokens, V vocabulary.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reasonrft.policy.groups import Groups
from reasonrft.policy.sampling import Sampling, choose

WORTH_KEEPING = 7 / 8
"""Share of rows that must be going on for the finished ones to be dragged along."""


@dataclass
class Completion:
    """One answer: its tokens with the end of turn, and how likely each was as sampled."""

    ids: Tensor  # (T,)
    log_probs: Tensor  # (T,)
    stopped: bool
    """Whether it ended by itself, instead of being cut."""

    @property
    def content(self) -> Tensor:
        """Its tokens without the end of turn."""
        return self.ids[:-1] if self.stopped else self.ids


@dataclass
class State:
    """The rows that are still being written, and what the model remembers of them."""

    cache: Any
    mask: Tensor  # (R, L + t)
    position: Tensor  # (R,) of the next token
    rows: Tensor  # (R,) which completion each row is
    extras: dict[str, Tensor]
    """What else a family wants to see with every token."""
    groups: Groups | None = None
    """Where prompts are remembered once, instead of in every row."""

    def expand(self, group_size: int) -> None:
        """Let every row become a group of rows."""
        if self.groups:
            self.groups.expand(group_size)
        self.cache.batch_repeat_interleave(group_size)
        self.mask, self.position = (
            value.repeat_interleave(group_size, dim=0) for value in (self.mask, self.position)
        )
        self.extras = {
            name: value.repeat_interleave(group_size, dim=0) for name, value in self.extras.items()
        }
        self.rows = torch.arange(len(self.mask), device=self.mask.device)

    def keep(self, going: Tensor) -> None:
        """Drop the rows that are finished."""
        if self.groups:
            self.groups.keep(going)
        self.cache.batch_select_indices(going)
        self.mask, self.position = self.mask[going], self.position[going]
        self.rows = self.rows[going]
        self.extras = {name: value[going] for name, value in self.extras.items()}


def decode(
    step: Callable[[State, Tensor], Tensor],
    state: State,
    log_probs: Tensor,  # (R, V)
    uniform: Tensor,  # (R, T)
    sampling: Sampling,
    stop_ids: Collection[int],
) -> tuple[list[Completion], int]:
    """Write all completions, token by token, and count the row-steps that were not needed.

    Args:
        step: Reads one more token in each row and tells what may come next (R, V).
        state: The rows, of which the prompts are read.
        log_probs: What may come first.
        uniform: Random numbers of each completion.
        sampling: How tokens are chosen.
        stop_ids: Tokens that end a completion.
    """
    total, saved, limit = len(state.rows), 0, sampling.max_tokens
    ids = torch.zeros(total, limit, dtype=torch.long, device=log_probs.device)
    likelihood = log_probs.new_zeros(total, limit)
    lengths = torch.full_like(ids[:, 0], limit)
    stopped = torch.zeros_like(lengths, dtype=torch.bool)
    stops = torch.tensor(sorted(stop_ids), device=log_probs.device)
    for turn in range(limit):
        rows = state.rows
        tokens = choose(log_probs, uniform[rows, turn], sampling)  # (R,)
        ids[rows, turn] = tokens
        likelihood[rows, turn] = log_probs.gather(-1, tokens[:, None]).squeeze(-1)
        ended = torch.isin(tokens, stops) & ~stopped[rows]
        lengths[rows] = torch.where(ended, turn + 1, lengths[rows])
        stopped[rows] |= ended
        going = (~stopped[rows]).nonzero().squeeze(-1)
        if not len(going) or turn + 1 == limit:
            break
        # Dropping rows copies those that stay: not for a few.
        if len(going) <= WORTH_KEEPING * len(rows):
            state.keep(going)
            tokens = tokens[going]
        saved += total - len(tokens)
        log_probs = step(state, tokens)
    completions = [
        Completion(own[:length], likely[:length], end)
        for own, likely, length, end in zip(
            ids.cpu(), likelihood.cpu(), lengths.tolist(), stopped.tolist(), strict=True
        )
    ]
    return completions, saved
