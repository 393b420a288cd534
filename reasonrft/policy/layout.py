"""Where each token stands: rows of prompts and completions, repeated or shared.

B rows of S tokens, L prompt tokens, C coordinates of a position (3 with multimodal RoPE, else 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from reasonrft.policy.batching import ROW_PER_PROMPT, TEXT_KEYS, extend, stack
from reasonrft.policy.encoding import Prompt


@dataclass(frozen=True)
class Group:
    """A prompt and completions of it."""

    prompt: Prompt
    completions: list[Tensor]  # of (T,)

    @property
    def length(self) -> int:
        """Tokens of the shared row: the prompt stands there once."""
        return self.prompt.length + sum(map(len, self.completions))

    @property
    def begins(self) -> list[int]:
        """Where in the shared row each completion begins."""
        return list(accumulate(map(len, self.completions[:-1]), initial=self.prompt.length))


@dataclass(frozen=True)
class Layout:
    """Rows in which each prompt stands once, before its completions."""

    groups: Tensor  # (B, S) which group a token is part of, -1 in padding
    completions: Tensor  # (B, S) and which of its completions, -1 in prompts and padding
    positions: Tensor  # (C, B, S)
    predictors: Tensor  # (N,) in the flattened rows: where each completion token is predicted
    starts: list[int]
    """Where each group begins in the flattened rows."""

    @property
    def mask(self) -> Tensor:  # (B, S, S) bool
        """Whether a token sees another: those before it in its own prompt and own completion."""
        part = self.completions
        earlier = torch.ones(part.shape[1], part.shape[1], dtype=torch.bool).tril()
        group = self.groups[:, :, None]
        same_group = (group == self.groups[:, None, :]) & (group >= 0)
        visible = (part[:, :, None] == part[:, None, :]) | (part < 0)[:, None, :]
        # Rows of the mask that are all False give NaN on some backends: padding sees itself.
        itself = torch.eye(part.shape[1], dtype=torch.bool)
        return (earlier & same_group & visible) | itself


def pack(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Which items share a row of at most this many tokens; an item longer than that is alone."""
    rows: list[list[int]] = []
    room: list[int] = []
    for item in sorted(range(len(lengths)), key=lambda at: -lengths[at]):
        row = next((at for at, left in enumerate(room) if left >= lengths[item]), len(rows))
        if row == len(rows):
            rows.append([])
            room.append(budget)
        rows[row].append(item)
        room[row] -= lengths[item]
    return rows


def lay_out(
    groups: Sequence[Group], positions: Sequence[Tensor], rows: Sequence[Sequence[int]]
) -> Layout:
    """The shared layout of groups, given the positions (C, L) of each prompt's own tokens."""
    width = max(sum(groups[item].length for item in row) for row in rows)
    owner = torch.full((len(rows), width), -1)  # the group of a token
    part = torch.full((len(rows), width), -1)  # its completion within the group
    places = torch.zeros(positions[0].shape[0], len(rows), width, dtype=torch.long)
    starts = [0] * len(groups)
    for at, row in enumerate(rows):
        column = 0
        for item in row:
            starts[item] = at * width + column
            group, end = groups[item], column + groups[item].length
            owner[at, column:end] = item
            part[at, column:end] = _parts(group)
            places[:, at, column:end] = _positions(group, positions[item])
            column = end
    return Layout(owner, part, places, _predictors(groups, starts), starts)


def added_to_scores(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask that says what is seen, as attention of this type takes it."""
    nothing = torch.zeros(visible.shape, dtype=dtype, device=visible.device)
    return nothing.masked_fill(~visible, torch.finfo(dtype).min)


def row_inputs(groups: Sequence[Group]) -> dict[str, Tensor]:
    """What the model takes for one row: every prompt followed by its completions."""
    spans = [extend(group.prompt.inputs, torch.cat(group.completions)) for group in groups]
    names = dict.fromkeys(name for span in spans for name in span)
    one_row = any(name in names for name in ROW_PER_PROMPT)
    row = {}
    for name in names:
        columns = [span[name] for span in spans if name in span]
        along = one_row or name in TEXT_KEYS
        row[name] = torch.cat(columns, dim=1) if along else stack(columns)
    return row


def _parts(group: Group) -> Tensor:
    spans = [torch.full((group.prompt.length,), -1)]
    spans += [torch.full((len(ids),), at) for at, ids in enumerate(group.completions)]
    return torch.cat(spans)


def _positions(group: Group, prompt: Tensor) -> Tensor:
    """Every completion goes on from the greatest position of the prompt, not from its length."""
    origin = prompt.max() + 1
    spans = [prompt]
    for ids in group.completions:
        spans.append((origin + torch.arange(len(ids))).expand(prompt.shape[0], -1))
    return torch.cat(spans, dim=1)


def _predictors(groups: Sequence[Group], starts: Sequence[int]) -> Tensor:
    """The first token of every completion is predicted where its prompt ends."""
    places = []
    for group, start in zip(groups, starts, strict=True):
        prompt_end = start + group.prompt.length - 1
        for begin, ids in zip(group.begins, group.completions, strict=True):
            first = start + begin
            places.append(torch.tensor([prompt_end, *range(first, first + len(ids) - 1)]))
    return torch.cat(places).long()


def dense_predictors(groups: Sequence[Group], width: int) -> Tensor:  # (N,)
    """The same for one row per completion, each with its prompt, padded on the right."""
    places, row = [], 0
    for group in groups:
        for ids in group.completions:
            start = row * width + group.prompt.length - 1
            places.append(torch.arange(start, start + len(ids)))
            row += 1
    return torch.cat(places)
