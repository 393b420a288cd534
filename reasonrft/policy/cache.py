"""What a model remembers while it writes, with room for the tokens to come.

R rows, L tokens read so far, D width of a head.
"""

from typing import Any

from torch import Tensor
from transformers import Cache, DynamicLayer
from transformers.utils import ModelOutput

CACHE_NAME = "cache" if hasattr(ModelOutput, "past_key_values") else "past_key_values"
"""What models call their cache: transformers 5.24 has renamed it, and warns of the old name."""

ROOM = 64
"""Tokens that are made room for at a time."""


class RoomyLayer(DynamicLayer):
    """Writes a token beside those before it, where the parent copies them all for every token."""

    keys: Any  # the parent's are None before it has read anything
    values: Any
    _space: tuple[Tensor, Tensor]

    def __init__(self, layer: DynamicLayer) -> None:
        super().__init__()
        self.keys, self.values = layer.keys, layer.values
        # Transformers before 5.24 keeps the type too; nothing that is called here asks for it.
        self.device, self.is_initialized = layer.device, True
        self._fill()

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        start, end = self.keys.shape[-2], self.keys.shape[-2] + key_states.shape[-2]
        if end > self._space[0].shape[-2]:
            self._space = _with_room(self.keys, end), _with_room(self.values, end)
        for space, states in zip(self._space, (key_states, value_states), strict=True):
            space[..., start:end, :] = states
        self.keys, self.values = (space[..., :end, :] for space in self._space)
        return self.keys, self.values

    def batch_repeat_interleave(self, repeats: int) -> None:
        super().batch_repeat_interleave(repeats)
        self._fill()

    def batch_select_indices(self, indices: Tensor) -> None:
        super().batch_select_indices(indices)
        self._fill()

    def _fill(self) -> None:
        self._space = self.keys, self.values


def _with_room(states: Tensor, end: int) -> Tensor:
    """The same states (R, heads, L, D) at the start of a larger space."""
    space = states.new_empty(*states.shape[:-2], end + ROOM, states.shape[-1])
    space[..., : states.shape[-2], :] = states
    return space


def keeps_all(layer: Any) -> bool:
    """Whether it remembers every token, unlike sliding windows and the like."""
    return type(layer) is DynamicLayer and layer.is_initialized


def make_roomy(cache: Cache) -> None:
    """Change the layers that keep all tokens."""
    for place, layer in enumerate(cache.layers):
        if keeps_all(layer):
            cache.layers[place] = RoomyLayer(layer)  # type: ignore[arg-type]
