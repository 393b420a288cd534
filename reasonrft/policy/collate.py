"""Prompts of any family as one batch; each was encoded alone, with its own images.

B rows, L tokens of the longest, T tokens of a completion.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from reasonrft.errors import BadInput

Inputs = Mapping[str, Tensor]
Side = Literal["left", "right"]

# What runs along the tokens in its second dimension. Everything else is about images.
TEXT_KEYS = (
    "input_ids",
    "attention_mask",
    "mm_token_type_ids",
    "token_type_ids",
    "cross_attention_mask",
)
# Families that show one of these have a row for each prompt; the others have a row for each
# image, tile or patch, whichever prompt it is of.
ROW_PER_PROMPT = ("pixel_attention_mask", "aspect_ratio_ids")


def collate(prompts: Sequence[Inputs], pad_id: int, side: Side) -> dict[str, Tensor]:
    """One batch of several prompts, padded at one side; some may have no images."""
    prompts = _level(prompts)
    names = list(dict.fromkeys(name for prompt in prompts for name in prompt))
    longest = max(prompt["input_ids"].shape[1] for prompt in prompts)
    rows = any(name in names for name in ROW_PER_PROMPT)
    batch = {}
    for name in names:
        if name in TEXT_KEYS:
            columns = _filled(name, prompts)
            value = pad_id if name == "input_ids" else 0
            columns = [_pad_text(column, longest, side, value) for column in columns]
        else:
            columns = _filled(name, prompts) if rows else [p[name] for p in prompts if name in p]
        batch[name] = stack(columns)
    return batch


def extend(prompt: Inputs, ids: Tensor) -> dict[str, Tensor]:
    """A prompt that goes on with these tokens (T,), which see what its last token sees."""
    grown = dict(prompt)
    for name in TEXT_KEYS:
        if name in prompt:
            grown[name] = torch.cat([prompt[name], _more(name, prompt[name], ids)], dim=1)
    return grown


def _more(name: str, column: Tensor, ids: Tensor) -> Tensor:
    if name == "input_ids":
        return ids[None].to(column)
    if name == "attention_mask":
        return column.new_ones(1, len(ids))
    if name == "cross_attention_mask":
        return column[:, -1:].repeat_interleave(len(ids), dim=1)
    return column.new_zeros(1, len(ids))


def _level(prompts: Sequence[Inputs]) -> Sequence[Inputs]:
    """Give Mllama's prompts equal numbers of images, by showing each its own again.

    What stands before a image attends to all that its row has, each as much as the other: only
    copies of its own leave the mean as it is. They are masked from what comes after.
    """
    key = "aspect_ratio_ids"
    if not any(key in prompt for prompt in prompts):
        return prompts
    if not all(key in prompt for prompt in prompts):
        raise BadInput("this family cannot read prompts without images beside prompts with some")
    total = math.lcm(*(prompt[key].shape[1] for prompt in prompts))
    return [_show_again(prompt, total // prompt[key].shape[1]) for prompt in prompts]


def _show_again(prompt: Inputs, times: int) -> dict[str, Tensor]:
    images = {name: column for name, column in prompt.items() if name not in TEXT_KEYS}
    copies = {
        name: column.repeat(1, times, *(1 for _ in column.shape[2:]))
        for name, column in images.items()
    }
    seen = prompt["cross_attention_mask"]
    hidden = seen.new_zeros(*seen.shape[:2], seen.shape[2] * (times - 1), seen.shape[3])
    return {**prompt, **copies, "cross_attention_mask": torch.cat([seen, hidden], dim=2)}


def _filled(name: str, prompts: Sequence[Inputs]) -> list[Tensor]:
    """A tensor for every prompt; prompts without one get one that holds nothing."""
    like = next(prompt[name] for prompt in prompts if name in prompt)
    columns = []
    for prompt in prompts:
        length = prompt["input_ids"].shape[1] if name in TEXT_KEYS else 0
        empty = like.new_zeros(1, length, *(0 for _ in like.shape[2:]))
        columns.append(prompt.get(name, empty))
    return columns


def _pad_text(column: Tensor, length: int, side: Side, value: int) -> Tensor:
    missing = length - column.shape[1]
    widths = (missing, 0) if side == "left" else (0, missing)
    return pad(column, (0, 0) * (column.ndim - 2) + widths, value=value)


def stack(columns: Sequence[Tensor]) -> Tensor:
    """Rows of all, each filled up with zeros to the greatest size in every other dimension."""
    sizes = [max(column.shape[at] for column in columns) for at in range(1, columns[0].ndim)]
    return torch.cat([_fill(column, sizes) for column in columns])


def _fill(column: Tensor, sizes: Sequence[int]) -> Tensor:
    missing = [want - have for want, have in zip(sizes, column.shape[1:], strict=True)]
    return pad(column, [width for gap in reversed(missing) for width in (0, gap)])


def to_device(tensors: Inputs, device: torch.device) -> dict[str, Tensor]:
    """Tensors on a device; the host does not wait for a GPU, nor go there for each of them."""
    if device.type != "cuda":
        return {name: value.to(device) for name, value in tensors.items()}
    moved: dict[str, Tensor] = {}
    for dtype in dict.fromkeys(value.dtype for value in tensors.values()):
        chosen = {name: value for name, value in tensors.items() if value.dtype == dtype}
        sizes = [value.numel() for value in chosen.values()]
        packed = torch.cat([value.flatten() for value in chosen.values()]).pin_memory()
        parts = packed.to(device, non_blocking=True).split(sizes)
        for (name, value), part in zip(chosen.items(), parts, strict=True):
            moved[name] = part.view(value.shape)
    return moved
