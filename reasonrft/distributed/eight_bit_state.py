"""Optimizer states of bitsandbytes, each of a range of a flattened weight.

8-bit moments stand in blocks of 256 values with a scale each, counted from the range's first value.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from reasonrft.errors import BadInput

BLOCK = 256
WRAPPED = "__bnb_optimizer_quant_state__"
"""Where bitsandbytes puts what is no plain number, in its own `state_dict`."""

Piece = Mapping[str, Any]
"""The state of a range: its `first` value, how many (`size`), and their `state`."""


def as_piece(state: Mapping[str, Any], first: int, size: int) -> Piece:
    """A state as bitsandbytes keeps it, or as it writes it, as that of a range."""
    plain = {key: value for key, value in state.items() if key != WRAPPED}
    return {"first": first, "size": size, "state": plain | state.get(WRAPPED, {})}


def state_of_range(pieces: Sequence[Piece], first: int, size: int) -> dict[str, Any]:
    """The state of a range, out of those of the ranges that a weight was cut into before.

    A range that was one before goes on to the same bits. Moments of other ranges stay in 8 bits
    where all cuts lie between blocks; elsewhere they go on in 32 bits, with the same values.
    """
    end = first + size
    for piece in pieces:
        if (piece["first"], piece["size"]) == (first, size):
            return dict(piece["state"])
    parts = [piece for piece in pieces if piece["first"] < end and first < _end(piece)]
    if not parts:
        return {}
    state = dict(parts[0]["state"])
    for number in (key.removeprefix("state") for key in list(state) if key.startswith("state")):
        if any(part["state"][f"state{number}"].numel() != part["size"] for part in parts):
            raise BadInput(
                "the optimizer's state in this checkpoint cannot be cut for another number of "
                "processes: go on with as many as before, or with AdamW8bit"
            )
        if all(_is_aligned(part, number, first) for part in parts):
            state |= _join_blocks(parts, number, first, end)
        else:
            state[f"state{number}"] = torch.cat([_values(p, number, first, end) for p in parts])
            for key in (f"qmap{number}", f"absmax{number}"):
                state.pop(key, None)
    return state


def _end(piece: Piece) -> int:
    return int(piece["first"] + piece["size"])


def _is_aligned(piece: Piece, number: str, first: int) -> bool:
    """Whether blocks of this range are blocks of that which begins at `first` too."""
    begin = max(piece["first"], first)
    cuts = (begin - piece["first"], begin - first)
    return f"absmax{number}" in piece["state"] and not any(cut % BLOCK for cut in cuts)


def _within(piece: Piece, first: int, end: int) -> slice:
    """Where the values from `first` to `end` stand in a range."""
    return slice(max(first - piece["first"], 0), min(end, _end(piece)) - piece["first"])


def _join_blocks(parts: Sequence[Piece], number: str, first: int, end: int) -> dict[str, Tensor]:
    codes, scales = [], []
    for part in parts:
        inside = _within(part, first, end)
        codes.append(part["state"][f"state{number}"].flatten()[inside])
        blocks = slice(inside.start // BLOCK, -(-inside.stop // BLOCK))
        scales.append(part["state"][f"absmax{number}"][blocks])
    return {f"state{number}": torch.cat(codes), f"absmax{number}": torch.cat(scales)}


def _values(piece: Piece, number: str, first: int, end: int) -> Tensor:
    """Moments in 32 bits."""
    state = piece["state"]
    codes = state[f"state{number}"].flatten()
    if f"absmax{number}" not in state:
        return codes[_within(piece, first, end)]
    scales = state[f"absmax{number}"].repeat_interleave(BLOCK)[: len(codes)]
    return (state[f"qmap{number}"][codes.long()] * scales)[_within(piece, first, end)]
