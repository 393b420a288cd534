"""Training with weights that are spread over ranks (FSDP2), whole or hybrid."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.fabric.plugins import CheckpointIO
from lightning.fabric.utilities.optimizer import _optimizer_to_device
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.optim import Optimizer

from reasonrft.checkpoints.checkpoint_io import SafeCheckpointIO
from reasonrft.checkpoints.sharded_folder import write_folder
from reasonrft.distributed.ranks import raise_on_all_ranks
from reasonrft.distributed.sharded_state import (
    copy_rows,
    gather_state,
    spread_optimizer_state,
)
from reasonrft.errors import BadInput, check_at_least
from reasonrft.policy.sharding import reshard


class ShardingStrategy(ModelParallelStrategy):
    """Each rank reads data of its own, and holds a part of weights, gradients and moments.

    What is saved is what other strategies save too: any of them goes on from it.
    """

    def __init__(
        self,
        shard_size: int | None = None,
        checkpoints: Literal["sharded", "consolidated"] = "sharded",
        timeout: int = 1800,
    ) -> None:
        """
        Args:
            shard_size: Ranks that share one copy of the weights, such as those of a node; all of
                them if not given.
            checkpoints: A folder in which each rank writes what it holds (sharded), or a file that
                the first rank writes (consolidated). Any number of ranks goes on from either.
            timeout: Seconds that ranks wait for each other.
        """
        check_at_least(1, timeout=timeout, shard_size=1 if shard_size is None else shard_size)
        super().__init__(timeout=timedelta(seconds=timeout))
        self.shard_size, self.checkpoints = shard_size, checkpoints

    def setup_environment(self) -> None:
        self._setup_distributed()
        if self._device_mesh is None:
            self._device_mesh = make_mesh(self.root_device.type, self.world_size, self.shard_size)
        assert self.lightning_module is not None
        self.lightning_module._device_mesh = self._device_mesh

    @property
    def distributed_sampler_kwargs(self) -> dict[str, Any]:
        return {"num_replicas": self.world_size, "rank": self.global_rank}

    @property
    def restore_checkpoint_after_setup(self) -> bool:
        return False

    @property
    def lightning_restore_optimizer(self) -> bool:
        return True

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """Of each weight what this rank holds: nothing is gathered that is not saved."""
        assert self.lightning_module is not None
        reshard(self.lightning_module)
        return self.lightning_module.state_dict()

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        if isinstance(optimizer, LightningOptimizer):
            optimizer = optimizer.optimizer
        return optimizer.state_dict()

    def save_checkpoint(
        self, checkpoint: dict[str, Any], filepath: Any, storage_options: Any = None
    ) -> None:
        path = Path(self.broadcast(filepath))
        if self.checkpoints == "sharded":
            write_folder(path, checkpoint, *self._shard(), self.checkpoint_io.is_whole)
            return
        whole = gather_state(checkpoint, keep=self.is_global_zero)
        with raise_on_all_ranks():
            if self.is_global_zero:
                self.checkpoint_io.save_checkpoint(whole, path, storage_options)

    def _shard(self) -> tuple[int | None, int]:
        """Which of the parts of the weights this rank writes, if any, and how many there are."""
        mesh = self.device_mesh
        is_first_copy = mesh.ndim == 1 or mesh.get_local_rank("replicate") == 0
        return mesh.get_local_rank("shard") if is_first_copy else None, mesh.size(mesh.ndim - 1)

    def load_checkpoint(
        self, checkpoint_path: Any, weights_only: bool | None = True
    ) -> dict[str, Any]:
        path = Path(self.broadcast(checkpoint_path))
        with raise_on_all_ranks():
            return self.checkpoint_io.load_pieces(path, "cpu", self.global_rank, self.world_size)

    @property
    def checkpoint_io(self) -> SafeCheckpointIO:
        if not isinstance(self._checkpoint_io, SafeCheckpointIO):
            self._checkpoint_io = SafeCheckpointIO()
        return self._checkpoint_io

    @checkpoint_io.setter
    def checkpoint_io(self, io: CheckpointIO | None) -> None:
        if not isinstance(io, SafeCheckpointIO | None):
            raise BadInput(f"ShardingStrategy needs SafeCheckpointIO, and not {type(io).__name__}")
        self._checkpoint_io = io

    @torch.no_grad()
    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        assert self.lightning_module is not None
        reshard(self.lightning_module)
        own = self.lightning_module.state_dict()
        for name, value in checkpoint["state_dict"].items():
            if name in own:
                copy_rows(name, own[name], value)

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            optimizer.load_state_dict(spread_optimizer_state(state, optimizer))
            _optimizer_to_device(optimizer, self.root_device)


def make_mesh(device: str, ranks: int, shard_size: int | None) -> DeviceMesh:
    """All ranks in a row, or in rows of `shard_size`, each of which holds a copy of the weights."""
    if shard_size is None or shard_size == ranks:
        return init_device_mesh(device, (ranks,), mesh_dim_names=("shard",))
    if ranks % shard_size:
        raise BadInput(
            f"shard_size is {shard_size}, and does not divide the {ranks} processes of this run"
        )
    shape = (ranks // shard_size, shard_size)
    return init_device_mesh(device, shape, mesh_dim_names=("replicate", "shard"))
