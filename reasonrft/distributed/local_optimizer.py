"""Optimizers that do not know of tensors that are spread over ranks: bitsandbytes' 8-bit ones."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from reasonrft.distributed.eight_bit_state import as_piece, state_of_range
from reasonrft.distributed.master_weights import MasterWeights
from reasonrft.distributed.sharded_state import RankState, is_first_copy, rows_of, with_shape
from reasonrft.errors import BadInput
from reasonrft.policy.sharding import local

Groups = list[dict[str, Any]]


def make_optimizer(
    make: OptimizerCallable, groups: Groups, master_weights: bool = False
) -> Optimizer:
    """An optimizer of these parameters, whole or spread over ranks."""
    if master_weights:
        return MasterWeights(lambda copies: fuse(make(copies)), groups)
    if any(value.dtype == torch.bfloat16 for group in groups for value in group["params"]):
        rank_zero_warn(
            "weights in bfloat16 are trained, and lose every update of less than 1/256 of a "
            "weight: set model.master_weights, or model.policy.dtype to float32"
        )
    optimizer = fuse(make(groups))
    spread = any(isinstance(value, DTensor) for group in groups for value in group["params"])
    if not spread or type(optimizer).__module__.partition(".")[0] != "bitsandbytes":
        return optimizer
    if getattr(getattr(optimizer, "args", None), "max_unorm", 1.0) != 0:
        raise BadInput(
            f"{type(optimizer).__name__} needs the norms of whole weights, which are spread over "
            "processes here: use AdamW8bit, or trainer.strategy ddp"
        )
    return LocalOptimizer(make, groups)


def fuse(optimizer: Optimizer, device_type: str = "cuda") -> Optimizer:
    """Let torch's own optimizers update all weights in one kernel, if not told otherwise.

    On a CPU that takes as long, and rounds differently.
    """
    for group in optimizer.param_groups:
        unset = all(group.get(name, True) is None for name in ("fused", "foreach"))
        if unset and all(value.device.type == device_type for value in group["params"]):
            group["fused"] = True
    return optimizer


class LocalOptimizer(Optimizer):
    """Has another optimizer update what this rank holds of each parameter, value by value.

    From outside it has the parameters themselves, so that gradients are clipped as a whole.
    """

    def __init__(self, make: OptimizerCallable, groups: Groups) -> None:
        views = [
            {**group, "params": [nn.Parameter(local(value)) for value in group["params"]]}
            for group in groups
        ]
        self.inner = make(views)
        super().__init__([dict(group) for group in groups], self.inner.defaults)

    def _pairs(self) -> list[tuple[DTensor, nn.Parameter]]:
        groups = zip(self.param_groups, self.inner.param_groups, strict=True)
        return [
            pair
            for outer, own in groups
            for pair in zip(outer["params"], own["params"], strict=True)
        ]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for outer, own in zip(self.param_groups, self.inner.param_groups, strict=True):
            own.update({key: value for key, value in outer.items() if key != "params"})
        for parameter, view in self._pairs():
            view.data = local(parameter)
            if parameter.grad is not None and view.numel():
                view.grad = local(parameter.grad)
        self.inner.step()
        self.inner.zero_grad()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Each rank's state of its own values."""
        states = {
            index: RankState(
                parameter.shape,
                as_piece(self.inner.state.get(view, {}), *_range_of(parameter)),
                is_first_copy(parameter),
            )
            for index, (parameter, view) in enumerate(self._pairs())
        }
        return super().state_dict() | {"state": states}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        super().load_state_dict({**state_dict, "state": {}})
        for index, (parameter, view) in enumerate(self._pairs()):
            given = state_dict["state"].get(index)
            if given is None:
                continue
            pieces = given.get("pieces") or [as_piece(given, 0, parameter.numel())]
            state = state_of_range(pieces, *_range_of(parameter))
            self.inner.state[view] = {
                key: with_shape(value.to(view.device, copy=True), view.shape)
                if isinstance(value, Tensor)
                else value
                for key, value in state.items()
            }


def _range_of(parameter: DTensor) -> tuple[int, int]:
    """Where this rank's values begin in the flattened parameter, and how many they are."""
    rows = rows_of(parameter)
    width = parameter.shape[1:].numel()
    return rows.start * width, (rows.stop - rows.start) * width
