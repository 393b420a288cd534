"""What several ranks make of spread tensors: `python -m tests.distributed.sharding_ranks N ...`.

N processes each write what they come to, to HOME/NAME-RANK.pt.
"""

from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.distributed.tensor import DTensor, Replicate, Shard

from reasonrft.checkpoints import SafeCheckpointIO
from reasonrft.checkpoints.sharded_folder import write_folder
from reasonrft.distributed.sharded_state import gather_state, rows_of, spread_like
from reasonrft.distributed.sharding_strategy import ShardingStrategy, make_mesh

SHAPES = ((8, 3), (9, 2), (2, 5), (1,), (5,), (4, 1, 2))
"""As many rows as ranks or more, fewer, and none for some."""


def tensor(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.arange(float(torch.Size(shape).numel())).reshape(shape) + 1


def spread(shape: tuple[int, ...], mesh: Any) -> DTensor:
    """As FSDP2 spreads a parameter."""
    placements = [Shard(0)] if mesh.ndim == 1 else [Replicate(), Shard(0)]
    return distributed.tensor.distribute_tensor(tensor(shape), mesh, placements)


def nested(mesh: Any) -> dict[str, Any]:
    values = [{"here": [spread(shape, mesh), 3], "step": torch.tensor(2.0)} for shape in SHAPES]
    return {"state_dict": {"a": spread(SHAPES[0], mesh)}, "more": dict(enumerate(values))}


def states(home: Path, ranks: int, shard_size: int | None = None) -> dict[str, Any]:
    """Gathered, written, read and taken apart."""
    mesh = make_mesh("cpu", ranks, shard_size)
    state = nested(mesh)
    gathered = gather_state(state, keep=distributed.get_rank() == 1)
    io, folder = SafeCheckpointIO(), home / f"{ranks}-{shard_size}.ckpt"
    strategy = ShardingStrategy()
    strategy._device_mesh = mesh
    write_folder(folder, state, *strategy._shard(), io.is_whole)
    read = io.load_pieces(folder)
    for number, shape in enumerate(SHAPES):
        given = spread(shape, mesh)
        held = given.to_local()
        assert torch.equal(tensor(shape)[rows_of(given)], held)
        for whole in (tensor(shape), read["more"][number]["here"][0]):
            again = spread_like(given, whole)
            assert again.shape == given.shape and torch.equal(again.to_local(), held)
            assert torch.equal(again.full_tensor(), tensor(shape))
    return {"gathered": gathered, "held": state["more"][4]["here"][0].to_local()}
