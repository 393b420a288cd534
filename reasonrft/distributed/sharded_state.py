"""Training states whose tensors are spread over ranks: gathered to be saved, taken apart to go on.

FSDP2 gives each rank some rows of every tensor, one rank after the other. A rank may have fewer
rows than others, or none; with hybrid sharding several ranks have the same ones.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, Shard

from reasonrft.distributed.eight_bit_state import Piece, state_of_range
from reasonrft.distributed.ranks import all_gather
from reasonrft.errors import BadInput


@dataclass(frozen=True)
class Pieces:
    """A tensor that was saved by several ranks, each its rows: what one rank needs is read."""

    shape: torch.Size
    pieces: Sequence[tuple[int, Tensor]]
    """The first row of each, and its rows; in order."""

    def __getitem__(self, wanted: slice) -> Tensor:
        """Some rows."""
        parts = [
            rows[max(wanted.start - first, 0) : max(wanted.stop - first, 0)]
            for first, rows in self.pieces
        ]
        return torch.cat(parts)

    def whole(self) -> Tensor:
        return self[0 : self.shape[0]]


@dataclass(frozen=True)
class RankState:
    """What a rank knows of its own values of a parameter, such as the scales of their blocks."""

    shape: torch.Size
    piece: Piece
    is_first_copy: bool
    """Whether no rank before this one has the same values."""


def map_leaves(function: Callable[[tuple[Any, ...], Any], Any], state: Any, *path: Any) -> Any:
    """A nested state with another value in the place of each, given its path and the value."""
    if isinstance(state, Mapping):
        return {key: map_leaves(function, value, *path, key) for key, value in state.items()}
    if type(state) in (list, tuple):
        return type(state)(map_leaves(function, v, *path, i) for i, v in enumerate(state))
    return function(path, state)


def rows_of(tensor: DTensor) -> slice:
    """Which rows of the whole this rank holds."""
    rows, mesh = len(tensor), tensor.device_mesh
    for dimension, placement in enumerate(tensor.placements):
        if isinstance(placement, Shard):
            assert placement.dim == 0
            each = -(-rows // mesh.size(dimension))
            first = min(each * mesh.get_local_rank(dimension), rows)
            return slice(first, min(first + each, rows))
    return slice(0, rows)


def is_first_copy(tensor: DTensor) -> bool:
    """Whether no rank before this one holds the same rows."""
    mesh = tensor.device_mesh
    return all(
        isinstance(placement, Shard) or mesh.get_local_rank(dimension) == 0
        for dimension, placement in enumerate(tensor.placements)
    )


def gather_state(state: Any, keep: bool) -> Any:
    """The state with whole tensors, on the CPU of ranks that keep it; all ranks call this.

    One tensor after the other: ranks that do not keep them never hold more than one.
    """

    def gather(_: Any, value: Any) -> Any:
        if isinstance(value, RankState):
            pieces = all_gather(value.piece if value.is_first_copy else None)
            return join_pieces(value.shape, filter(None, pieces))
        if isinstance(value, DTensor):
            whole = value.full_tensor()
            return whole.cpu() if keep else None
        return value

    return map_leaves(gather, state)


def join_pieces(shape: Sequence[int], pieces: Iterable[Piece]) -> dict[str, Any]:
    """The states that ranks have of their values of a parameter, as they stand in a checkpoint."""
    known = [piece for piece in pieces if piece["state"]]
    return {"shape": list(shape), "pieces": known} if known else {}


def whole_state(state: Any) -> Any:
    """A state that was read in pieces, as one process has it."""
    if isinstance(state, Pieces):
        return state.whole()
    if isinstance(state, list):
        return [whole_state(value) for value in state]
    if not isinstance(state, Mapping):
        return state
    if state.keys() == {"shape", "pieces"}:
        shape = torch.Size(state["shape"])
        values = state_of_range(state["pieces"], 0, shape.numel())
        return {key: with_shape(value, shape) for key, value in values.items()}
    return {key: whole_state(value) for key, value in state.items()}


def with_shape(value: Any, shape: torch.Size) -> Any:
    """A value for each value of a parameter, in the parameter's shape; others as they are."""
    fits = isinstance(value, Tensor) and value.numel() == shape.numel()
    return value.reshape(shape) if fits else value


def copy_rows(name: str, target: Tensor, whole: Tensor | Pieces) -> None:
    """Fill a tensor, or those of its rows that this rank holds, in place."""
    if target.shape != whole.shape:
        raise BadInput(
            f"the checkpoint's {name} has the shape {list(whole.shape)}, and this policy's has "
            f"{list(target.shape)}: it is another policy's"
        )
    if isinstance(target, DTensor):
        target.to_local().copy_(whole[rows_of(target)])
    else:
        target.copy_(whole if isinstance(whole, Tensor) else whole.whole())


def spread_like(parameter: Tensor, whole: Tensor | Pieces) -> Tensor:
    """A tensor with the parameter's shape, spread over ranks as the parameter is."""
    if not isinstance(parameter, DTensor):
        whole = whole if isinstance(whole, Tensor) else whole.whole()
        return whole.to(parameter.device, copy=True)
    return DTensor.from_local(
        whole[rows_of(parameter)].to(parameter.to_local().device, copy=True),
        parameter.device_mesh,
        parameter.placements,
        run_check=False,
        shape=parameter.shape,
        stride=parameter.stride(),
    )


def spread_optimizer_state(state: Mapping[str, Any], optimizer: torch.optim.Optimizer) -> Any:
    """A whole state of an optimizer, as it is for this rank's part of the parameters."""
    parameters = [value for group in optimizer.param_groups for value in group["params"]]

    def spread(index: int, value: Any) -> Any:
        has_shape = getattr(value, "shape", None) == parameters[index].shape
        return spread_like(parameters[index], value) if has_shape else value

    states = state["state"].items()
    spread_states = {i: {key: spread(i, v) for key, v in values.items()} for i, values in states}
    return {**state, "state": spread_states}
