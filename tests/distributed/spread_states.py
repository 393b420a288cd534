"""States whose tensors are spread over ranks, as FSDP2 spreads parameters."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor

from reasonrft.checkpoints import SafeCheckpointIO
from reasonrft.distributed.sharded_state import Pieces, gather_state, rows_of, spread_like
from reasonrft.distributed.sharding_strategy import ShardingStrategy, make_mesh
from tests.distributed.processes import fork_ranks

SHAPES = ((8, 3), (9, 2), (2, 5), (1,), (5,), (4, 1, 2))
"""As many rows as ranks or more, fewer, and none for some."""
MESHES = {"plain": None, "hybrid": 2}


def whole(shape: tuple[int, ...]) -> Tensor:
    return torch.arange(1.0, torch.Size(shape).numel() + 1).reshape(shape)


def spread(shape: tuple[int, ...], mesh: DeviceMesh) -> DTensor:
    placements = [*[Replicate()] * (mesh.ndim - 1), Shard(0)]
    return distribute_tensor(whole(shape), mesh, placements)


def spread_state(mesh: DeviceMesh) -> dict[str, Any]:
    moments = {i: {"mean": spread(shape, mesh), "step": 2} for i, shape in enumerate(SHAPES)}
    return {
        "state_dict": {"weight": spread(SHAPES[0], mesh), "count": torch.tensor(7)},
        "optimizer_states": [{"state": moments, "param_groups": [{"betas": (0.9, 0.99)}]}],
    }


def whole_state() -> dict[str, Any]:
    moments = {i: {"mean": whole(shape), "step": 2} for i, shape in enumerate(SHAPES)}
    return {
        "state_dict": {"weight": whole(SHAPES[0]), "count": torch.tensor(7)},
        "optimizer_states": [{"state": moments, "param_groups": [{"betas": (0.9, 0.99)}]}],
    }


def save(state: Any, path: Path, mesh: DeviceMesh) -> None:
    strategy = ShardingStrategy()
    strategy._device_mesh = mesh
    strategy.save_checkpoint(state, path)


def take_apart(ranks: int, home: Path) -> None:
    for name, shard_size in MESHES.items():
        mesh = make_mesh("cpu", ranks, shard_size)
        state = spread_state(mesh)
        save(state, home / f"{name}.ckpt", mesh)
        read = SafeCheckpointIO().load_pieces(home / f"{name}.ckpt")
        outcome = {
            "gathered": gather_state(state, keep=distributed.get_rank() == 1),
            "held": [hold(state, i, whole(shape)) for i, shape in enumerate(SHAPES)],
            "held of pieces": [
                hold(state, i, read["optimizer_states"][0]["state"][i]["mean"])
                for i in range(len(SHAPES))
            ],
        }
        torch.save(outcome, home / f"{name}-{distributed.get_rank()}.pt")


def hold(state: Any, number: int, given: Tensor | Pieces) -> dict[str, Any]:
    """What a rank takes of a whole tensor, beside what it has by torch's own distribution."""
    by_torch = state["optimizer_states"][0]["state"][number]["mean"]
    taken = spread_like(by_torch, given)
    rows = rows_of(by_torch)
    return {
        "rows": (rows.start, rows.stop),
        "by torch": by_torch.to_local(),
        "taken": taken.to_local(),
        "together": taken.full_tensor(),
    }


def run_on_four(home: Path) -> None:
    """Take them apart and put them together, and tell of it in a folder."""
    fork_ranks(take_apart, 4, home)
