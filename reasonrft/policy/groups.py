"""Attention while groups are written: a prompt is remembered once for all of its completions.

R rows still going, P prompts, W most rows of a prompt, L prompt tokens, T own tokens so far,
K heads of keys, N heads that ask each of them, D width of a head.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicLayer

from reasonrft.policy.cache import RoomyLayer


class GroupLayer(RoomyLayer):
    """Keeps the prompts (P, K, L, D) apart from what each row has written (R, K, T, D)."""

    prompts: tuple[Tensor, Tensor]

    def __init__(self, layer: DynamicLayer) -> None:
        super().__init__(layer)
        self.prompts = self.keys, self.values
        self.keys, self.values = (states[..., :0, :] for states in self.prompts)
        self._fill()

    def get_seq_length(self) -> int:
        return self.prompts[0].shape[-2] + self.keys.shape[-2]


class Groups:
    """Which row writes for which prompt, and where it stands in a grid of prompts."""

    def __init__(self, cache: Cache, mask: Tensor) -> None:
        for place, layer in enumerate(cache.layers):
            cache.layers[place] = GroupLayer(layer)  # type: ignore[arg-type]
        self.cache = cache
        scores = torch.zeros(mask.shape, device=mask.device)
        self.padding = scores.masked_fill(mask == 0, -torch.inf)  # (P, L)
        self._place(torch.arange(len(mask), device=mask.device))

    def expand(self, group_size: int) -> None:
        self._place(self.prompt.repeat_interleave(group_size))

    def keep(self, going: Tensor) -> None:
        self._place(self.prompt[going])

    def _place(self, prompt: Tensor) -> None:
        """Rows of a prompt stand together, in their order."""
        self.prompt = prompt  # (R,)
        counts = prompt.bincount(minlength=len(self.padding))
        self.width = int(counts.max())
        first = counts.cumsum(0) - counts
        rows = torch.arange(len(prompt), device=prompt.device)
        self.place = prompt * self.width + rows - first[prompt]  # (R,)
        self.row = rows.new_zeros(len(counts) * self.width)  # (P x W,), any where nobody stands
        self.row[self.place] = rows
        self.full = len(rows) == len(self.row)

    def gather(self, values: Tensor) -> Tensor:
        """What rows hold (R, K, N, X), for each prompt (P, K, W x N, X)."""
        grid = values if self.full else values[self.row]
        return grid.unflatten(0, (-1, self.width)).transpose(1, 2).flatten(2, 3)

    def scatter(self, values: Tensor) -> Tensor:
        """The way back."""
        rows = values.unflatten(2, (self.width, -1)).transpose(1, 2).flatten(0, 1)
        return rows if self.full else rows[self.place]

    def attend(
        self,
        module: Any,
        query: Tensor,  # (R, K x N, 1, D)
        key: Tensor,  # (R, K, T, D)
        value: Tensor,
        scaling: float,
        dropout: float,
    ) -> Tensor:  # (R, 1, K x N, D)
        """Attention of one new token in each row to its prompt and to what the row has written."""
        layer: Any = self.cache.layers[module.layer_idx]
        keys, values = layer.prompts
        asked = query.squeeze(2).unflatten(1, (key.shape[1], -1)) * scaling  # (R, K, N, D)
        to_prompt = self.gather(asked) @ keys.mT + self.padding[:, None, None]
        to_own = asked @ key.mT  # (R, K, N, T)
        scores = torch.cat([self.scatter(to_prompt), to_own], -1)
        weights = scores.softmax(-1, dtype=torch.float32).to(value.dtype)
        of_prompt, of_own = weights.tensor_split([keys.shape[-2]], -1)
        read = self.scatter(self.gather(of_prompt) @ values) + of_own @ value
        return read.flatten(1, 2)[:, None]
