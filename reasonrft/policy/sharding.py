"""Weights that are spread over ranks (FSDP2): how they are sharded, gathered and reached.

Everything else that needs whole weights, or a rank's own values, asks one of these functions.
Each works alike on a policy that is not sharded.

    shard       each decoder layer is a unit, and the root holds all else: embeddings, head, tower
    training    a unit is gathered when it runs; ranks run equally many forwards, in one order
    gathered    all units are whole for a while, and each rank runs what it likes: rollouts, answers
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor

from reasonrft.distributed.ranks import is_first_rank
from reasonrft.errors import BadInput
from reasonrft.policy.parts import always_run_layers

FORWARDS = ("encode_images", "token_log_probs", "next_log_probs")
"""Methods of a policy that use weights outside of `forward`: FSDP2 gathers weights for them too."""


def data_mesh(mesh: DeviceMesh) -> DeviceMesh:
    """The part of a mesh that weights are sharded over: shards, or replicas x shards."""
    names = mesh.mesh_dim_names or ()
    if "tensor_parallel" not in names:
        return mesh
    if (size := mesh["tensor_parallel"].size()) > 1:
        raise BadInput(f"tensor_parallel_size is {size}, and layers are not split: it must be 1")
    return mesh["data_parallel"]


def shard(policy: Any, mesh: DeviceMesh) -> None:
    """Shard a policy over the ranks of a mesh: each decoder layer, and all else as one unit.

    The tower has no unit of its own: a rank whose prompts have no image, or whose image features
    are remembered, would not gather it while others do. Weights in 4 bits stay whole on each rank.
    """
    if isinstance(policy, FSDPModule):
        return
    whole = {value for value in policy.parameters() if not value.is_floating_point()}
    options: dict[str, Any] = {"mesh": data_mesh(mesh), "ignored_params": whole}
    for layer in always_run_layers(policy.model):
        fully_shard(layer, **options)
    fully_shard(policy, **options)
    for name in FORWARDS:
        register_fsdp_forward_method(policy, name)
    # The policy is the root, also where weights are gathered before a forward has shown that.
    policy._get_fsdp_state()._lazy_init()


@contextmanager
def gathered(module: nn.Module) -> Iterator[None]:
    """Whole weights on each rank, for forwards that are not the same on all; all ranks enter it.

    Without gradients: those are summed up over ranks, unit by unit.
    """
    units = [part for part in module.modules() if isinstance(part, FSDPModule)]
    reshard(module)
    # What is allocated in inference mode could not be written to in training.
    with torch.inference_mode(False), torch.no_grad():
        for unit in units:
            unit.set_reshard_after_forward(False, recurse=False)
            unit.unshard()
    try:
        yield
    finally:
        for unit in units:
            unit.set_reshard_after_forward(unit is not module, recurse=False)
        reshard(module)
        if isinstance(module, FSDPModule):
            module.reset_iter_state()  # else all forwards are on record until the next backward


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
def full_state_dict(
    module: nn.Module, wanted: Callable[[str], bool] = lambda name: True
) -> dict[str, Tensor]:
    """Weights and buffers as whole tensors, on the first rank alone; all ranks call this.

    Sharded ones are gathered one by one into main memory, and a weight that has two names once.
    """
    reshard(module)
    state: dict[str, Tensor] = {}
    names: dict[int, str] = {}
    for name, value in module.state_dict(keep_vars=True).items():
        first = names.setdefault(id(value), name)
        if first in state:
            state[name] = state[first]
        elif first == name and wanted(name):
            whole = gather(value)
            if is_first_rank():
                state[name] = whole.cpu() if isinstance(value, DTensor) else whole
    return state


def join_weights(model: Any, names: Sequence[str]) -> None:
    """Give these weights a gradient in each backward pass, of zero where nothing used them.

    Ranks reduce gradients together, in one order: each must have one, and must come upon it at the
    same time. So the weights stand at the start, with the embeddings of tokens.
    """

    def join(module: nn.Module, args: Any, embeddings: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return embeddings
        # Fetched each time: FSDP2 has other parameters within a forward than outside.
        return _JoinedWeights.apply(embeddings, *map(model.get_parameter, names))

    if names:
        model.get_input_embeddings().register_forward_hook(join)


class _JoinedWeights(torch.autograd.Function):
    """States as they are, whose gradient gives weights one of zero."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, *weights: Tensor) -> Tensor:
        ctx.zeros = [weight.new_zeros(()).expand(weight.shape) for weight in weights]
        return states.view_as(states)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return (*gradients, *ctx.zeros)
