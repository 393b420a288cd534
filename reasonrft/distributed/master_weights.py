"""Weights in bfloat16 that are rounded from float32 copies, which the optimizer updates.

    gradient in bfloat16 -> float32 -> clipped -> update of the copy -> rounded to the weight

A bfloat16 has eight bits: an update of less than 1/256 of a weight would leave it as it was. The
copies add such updates up.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from lightning.pytorch.cli import OptimizerCallable
from torch import nn
from torch.optim import Optimizer

from reasonrft.errors import BadInput
from reasonrft.policy.sharding import local

Groups = list[dict[str, Any]]
MASTER = "master"
"""The copy's name beside the moments in an optimizer's state."""


class MasterWeights(Optimizer):
    """Has another optimizer update float32 copies of weights, whole or spread over ranks.

    From outside its parameters are the copies, so that their gradients are clipped. A weight that
    is in float32 is its own copy.
    """

    def __init__(self, make: OptimizerCallable, groups: Groups) -> None:
        weights = [value for group in groups for value in group["params"]]
        check_dtypes({value.dtype for value in weights})
        masters = {value: _master_of(value) for value in weights}
        copied = [{**group, "params": [masters[v] for v in group["params"]]} for group in groups]
        self.inner = make(copied)
        if (name := type(self.inner).__module__).partition(".")[0] == "bitsandbytes":
            raise BadInput(
                f"master_weights are updated in float32, and {name.rpartition('.')[2]} of "
                "bitsandbytes is not: take torch.optim.AdamW, or leave master_weights out"
            )
        self.pairs = [(value, master) for value, master in masters.items() if master is not value]
        super().__init__(self.inner.param_groups, self.inner.defaults)
        self._share_state()

    def _share_state(self) -> None:
        """What schedules change, and what is moved between devices, is the other optimizer's."""
        self.param_groups, self.state = self.inner.param_groups, self.inner.state

    @property
    def masters(self) -> list[nn.Parameter]:
        return [value for group in self.param_groups for value in group["params"]]

    @torch.no_grad()
    def take_gradients(self) -> list[nn.Parameter]:
        """Move the gradients of weights to their copies, in float32; the copies are returned."""
        for weight, master in self.pairs:
            if weight.grad is not None:
                master.grad, weight.grad = weight.grad.float(), None
        return self.masters

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.take_gradients()
        self.inner.step()
        for weight, master in self.pairs:
            local(weight).copy_(local(master))
            master.grad = None
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        for weight, _ in self.pairs:
            weight.grad = None
        self.inner.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """The other optimizer's, with the copies beside the moments."""
        state = self.inner.state_dict()
        copies = {master for _, master in self.pairs}
        states = {
            index: state["state"].get(index, {})
            | ({MASTER: master.detach()} if master in copies else {})
            for index, master in enumerate(self.masters)
        }
        return {**state, "state": states}

    @torch.no_grad()
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        states = state_dict["state"].items()
        moments = {i: {k: v for k, v in own.items() if k != MASTER} for i, own in states}
        self.inner.load_state_dict({**state_dict, "state": moments})
        self._share_state()
        for index, master in enumerate(self.masters):
            if MASTER in (own := state_dict["state"].get(index, {})):
                local(master).copy_(local(own[MASTER]))


def check_dtypes(dtypes: set[torch.dtype]) -> None:
    """Refuse weights that need no copies, or more than copies."""
    if torch.bfloat16 in dtypes and dtypes <= {torch.bfloat16, torch.float32}:
        return
    trained = " and ".join(sorted(str(dtype).removeprefix("torch.") for dtype in dtypes))
    raise BadInput(
        "master_weights holds float32 copies of trained weights in bfloat16, and those of this "
        f"policy are in {trained}: train all weights with model.policy.dtype bfloat16, or leave it "
        "out (adapters are in float32 as they are)"
    )


def _master_of(weight: nn.Parameter) -> nn.Parameter:
    if weight.dtype == torch.float32:
        return weight
    return nn.Parameter(weight.detach().float())
