"""The reference policy: the policy as it was when training began."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from reasonrft.policy.sharding import local, reshard


class ReferencePolicy:
    """Keeps the first values of all trained weights, and swaps them in for a while.

    One mechanism serves every start: a model trained in full, a new adapter (whose first values
    add nothing), and an adapter that goes on from stage 1, where switching the adapter off would
    give the model before stage 1.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        # What FSDP2 has gathered is freed later: the parameters wanted are the shards.
        reshard(module)
        self.trained = [value for value in module.parameters() if value.requires_grad]
        self.first = [local(value).clone() for value in self.trained]

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Within this context the module is the reference policy; nothing in it takes gradients."""
        self._swap()
        try:
            with torch.no_grad():
                yield
        finally:
            self._swap()

    def _swap(self) -> None:
        """Exchange values in place: FSDP2 ignores an assignment to `.data`."""
        # Gathered weights that are still there would hide the exchange from the next forward.
        reshard(self.module)
        for place, parameter in enumerate(self.trained):
            value = local(parameter)
            self.first[place] = first = self.first[place].to(value.device)
            current = value.clone()
            value.copy_(first)
            first.copy_(current)
