"""Fused attention with its log-sum-exp, so that attentions to several sets of keys can be merged.

    softmax over all keys = each set's output, weighted by its share of the sum of exponents

The kernels are those behind torch's SDPA, which keeps the log-sum-exp to itself. They are called
forward and backward: given the merged output and log-sum-exp, the backward kernel of a set of keys
yields the gradients of its part.

X sequences, K heads of keys, N query heads for each of them, Q queries, S keys, D width of a head.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

aten = torch.ops.aten
_LSE_ROUNDING = 32
"""Memory-efficient attention pads its log-sum-exp to a multiple of this."""


def is_fused(device: torch.device, width: int) -> bool:
    """Whether there are kernels for heads of this width."""
    return device.type == "cpu" or (device.type == "cuda" and width % 8 == 0 and width <= 256)


@dataclass(frozen=True)
class Attended:
    """An attention's output, and what its backward pass needs beside queries, keys and values."""

    output: Tensor  # (X, K x N, Q, D)
    lse: Tensor  # (X, K x N, Q) float32
    rest: tuple[Any, ...] = ()
    """What the kernel itself wants back."""


def attend(
    query: Tensor,  # (X, K x N, Q, D)
    key: Tensor,  # (X, K, S, D)
    value: Tensor,
    scale: float,
    causal: bool = False,
) -> Attended:
    """Attention without dropout or mask; `causal` wants as many queries as keys."""
    if query.device.type == "cpu":
        kernel = aten._scaled_dot_product_flash_attention_for_cpu
        return Attended(*kernel(query, key, value, 0.0, causal, scale=scale))
    if query.dtype != torch.float32:
        output, lse, *rest, _ = aten._scaled_dot_product_flash_attention(
            query, key, value, 0.0, causal, False, scale=scale
        )
        return Attended(output, lse, tuple(rest))
    key, value = (_repeat(states, query.shape[1]) for states in (key, value))
    output, lse, *rest = aten._scaled_dot_product_efficient_attention(
        query, key, value, None, True, 0.0, causal, scale=scale
    )
    return Attended(output, lse[..., : query.shape[2]], tuple(rest))


def attend_backward(
    gradient: Tensor,  # (X, K x N, Q, D)
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attended: Attended,
    scale: float,
    causal: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of queries, keys and values, given the output that may have been merged."""
    output, lse, rest = attended.output, attended.lse, attended.rest
    if query.device.type == "cpu":
        kernel = aten._scaled_dot_product_flash_attention_for_cpu_backward
        return kernel(gradient, query, key, value, output, lse, 0.0, causal, scale=scale)
    lse = lse.contiguous()
    if query.dtype != torch.float32:
        lengths, random = rest[:4], rest[4:]
        states = (gradient, query, key, value, output, lse)
        return aten._scaled_dot_product_flash_attention_backward(
            *states, *lengths, 0.0, causal, *random, scale=scale
        )
    heads = key.shape[1]
    key, value = (_repeat(states, query.shape[1]) for states in (key, value))
    lse = pad(lse, (0, -lse.shape[-1] % _LSE_ROUNDING))
    inputs = (gradient, query, key, value, None, output, lse)
    kernel = aten._scaled_dot_product_efficient_attention_backward
    wanted = [True, True, True, False]
    of_query, *others, _ = kernel(*inputs, *rest, 0.0, wanted, causal, scale=scale)
    of_key, of_value = (states.unflatten(1, (heads, -1)).sum(2) for states in others)
    return of_query, of_key, of_value


def _repeat(states: Tensor, heads: int) -> Tensor:
    """Keys or values (X, K, S, D) once for each query head."""
    return states.repeat_interleave(heads // states.shape[1], dim=1)


Part = tuple[Tensor, Tensor]
"""An attention's output (..., D) and its log-sum-exp (...)."""


def merge(first: Part, second: Part) -> Part:
    """The attention to both sets of keys, from that of the same queries to each."""
    share = (second[1] - first[1]).sigmoid()[..., None]
    output = torch.lerp(first[0].to(share.dtype), second[0].to(share.dtype), share)
    return output.to(first[0].dtype), torch.logaddexp(first[1], second[1])
