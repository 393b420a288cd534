"""The policy as it was when training began."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Reference:
    """Keeps the first values of all weights that are trained, and puts them back for a while.

    So one mechanism serves every start: a model trained in full, a new adapter (whose first values
    add nothing), and an adapter that goes on from stage 1, where switching the adapter off would
    give the model before stage 1.
    """

    def __init__(self, module: nn.Module) -> None:
        self.trained = [value for value in module.parameters() if value.requires_grad]
        self.first: list[Tensor] = [value.detach().clone() for value in self.trained]

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The module is its own reference within this context; nothing in it takes gradients."""
        self._swap()
        try:
            with torch.no_grad():
                yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for place, value in enumerate(self.trained):
            self.first[place] = self.first[place].to(value.device)
            value.data, self.first[place] = self.first[place], value.data
