"""Weights that are spread over ranks (FSDP2): how they are sharded, gathered and reached.

Everything else that needs whole weights, or a rank's own values, asks one of these functions.
Each works alike on a policy that is not sharded.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor

from reasonrft.policy.parts import parts_of

FORWARDS = ("encode_images", "token_log_probs", "next_log_probs")
"""Methods of a policy that use weights outside of `forward`: FSDP2 gathers weights for them too."""


def shard(policy: Any, mesh: Any) -> None:
    """Shard a policy over the ranks of a mesh: each decoder layer, the vision tower, the rest."""
    for layer in policy.model.get_decoder().layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(policy.model.get_submodule(parts_of(policy.model).tower), mesh=mesh)
    fully_shard(policy, mesh=mesh)
    for name in FORWARDS:
        register_fsdp_forward_method(policy, name)


def local(value: Tensor) -> Tensor:
    """The values of a weight that this rank holds, without gradient, sharing its memory."""
    value = value.detach()
    return value.to_local() if isinstance(value, DTensor) else value


def reshard(module: nn.Module) -> None:
    """Drop gathered weights, so that the next forward gathers the values of now."""
    for part in module.modules():
        if isinstance(part, FSDPModule):
            part.reshard()


def gather(value: Tensor) -> Tensor:
    """A weight as a whole, on every rank; all ranks call this."""
    value = value.detach()
    return value.full_tensor() if isinstance(value, DTensor) else value


def full_parameters(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Each parameter as a whole, one after the other, on every rank; all ranks call this."""
    reshard(module)
    for name, parameter in module.named_parameters():
        yield name, gather(parameter)


@torch.no_grad()
def full_state_dict(module: nn.Module) -> dict[str, Tensor]:
    """All weights and buffers as whole tensors, on every rank; all ranks call this."""
    reshard(module)
    return {name: gather(value) for name, value in module.state_dict().items()}
