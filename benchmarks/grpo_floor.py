"""What a step of GRPO cannot avoid: operations, bytes that move, and this machine's rates.

Prompts and completions pass the language model once in the rollout, once in the reference, and once
forward and backward in the update (which counts three times, and twice where weights are frozen and
only an adapter learns), each prompt once, each token seeing only what it must; images pass the
tower once if it is frozen.

On a CPU all of that is divided by the rate at which it multiplies large matrices. On a GPU
completions are written at the rate at which memory is read: for each token of a batch, the language
model's weights, the prompts' keys and values once, and those of each unfinished completion. The
rest is divided by the rate of products, as on a CPU.

P prompts in a step, G completions of each, L tokens of a prompt, T of a completion.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from reasonrft.policy.encoder import Prompt


@dataclass(frozen=True)
class Rates:
    """Of a machine, a second."""

    operations: float
    bytes_moved: float
    """Read and written; 0 on a CPU, where no floor is made of it."""


@dataclass(frozen=True)
class Floor:
    """Of a step."""

    operations: float
    bytes_moved: float

    def seconds(self, rates: Rates) -> float:
        decoding = self.bytes_moved / rates.bytes_moved if rates.bytes_moved else 0.0
        return self.operations / rates.operations + decoding


def measure_rates(dtype: str, device: str) -> Rates:
    if device != "cuda":
        return Rates(product_rate(dtype, device), 0.0)
    rates = Rates(product_rate(dtype, device, 8192), copy_rate(device))
    torch.cuda.empty_cache()  # the GPU is the sides'
    return rates


def product_rate(dtype: str, device: str, size: int = 2048) -> float:
    """Operations a second in a product of large matrices."""
    kind: Any = getattr(torch, dtype)
    left, right = torch.randn(2, size, size, device=device).to(kind)
    return 2 * size**3 / _best(lambda: left @ right, device)


def copy_rate(device: str, size: int = 2**30) -> float:
    """Bytes a second that a copy reads and writes."""
    source, target = torch.ones(2, size, dtype=torch.int8, device=device)
    return 2 * size / _best(lambda: target.copy_(source), device)


def _best(work: Callable[[], Any], device: str, times: int = 8) -> float:
    """Fewest seconds: nothing makes it faster."""
    best = float("inf")
    for _ in range(times):
        synchronize(device)
        start = time.perf_counter()
        work()
        synchronize(device)
        best = min(best, time.perf_counter() - start)
    return best


def synchronize(device: str) -> None:
    """Wait for all that a GPU has to do."""
    if device == "cuda":
        torch.cuda.synchronize()


def floor_of(
    model: Any,
    prompts: Sequence[Prompt],
    lengths: Sequence[Sequence[int]],  # (P, G)
    train_tower: bool,
    adapter: bool,
    on_gpu: bool,
    weight_bytes: int,
) -> Floor:
    """Of one step on these prompts, whose completions become so long."""
    pairs = list(zip(prompts, lengths, strict=True))
    rows = sum(row_operations(model, prompt.length, group) for prompt, group in pairs)
    looks = sum(look_operations(model, prompt) for prompt in prompts) * (5 if train_tower else 1)
    learning = (1 + (2 if adapter else 3)) * rows  # reference and update
    if not on_gpu:
        return Floor(learning + rows + looks, 0.0)
    prefill = sum(row_operations(model, prompt.length, [1]) for prompt in prompts)
    read = decoding_bytes(model, [prompt.length for prompt in prompts], lengths, weight_bytes)
    return Floor(learning + prefill + looks, read)


def row_operations(model: Any, length: int, lengths: Sequence[int]) -> float:
    """One pass over a prompt and its completions; a product and its sum are two operations.

    After the last layer only predictors are read: of other tokens it computes keys and values.
    """
    config, (*layers, last) = model.config.text_config, model.get_decoder().layers
    written = [count - 1 for count in lengths]  # the last predicts nothing
    tokens, predictors = length + sum(written), 1 + sum(written)
    keys = _weights(last.self_attn.k_proj) + _weights(last.self_attn.v_proj)
    products = (sum(map(_weights, layers)) + keys) * tokens + (_weights(last) - keys) * predictors
    by_completions = sum(n * (length + (n + 1) / 2) for n in written)
    seen = len(layers) * (length * (length + 1) / 2 + by_completions) + length + by_completions
    attention = 2 * seen * config.num_attention_heads * _width(config)
    head = model.get_output_embeddings().weight.numel()
    return 2 * (products + head * predictors + attention)


def look_operations(model: Any, prompt: Prompt) -> float:
    """A prompt's images through the tower, whose mergers see each group of patches once."""
    tower, config = model.get_encoder("image"), model.config.vision_config
    each = _weights(tower.patch_embed) + _weights(tower.blocks)
    mergers = (getattr(tower, name, None) for name in ("merger", "deepstack_merger_list"))
    group = sum(_weights(merger) for merger in mergers if merger is not None)
    width = getattr(config, "embed_dim", config.hidden_size)  # Qwen2-VL's hidden_size is the text's
    total = 0.0
    for patches in prompt.inputs["image_grid_thw"].prod(-1).tolist():
        attention = 2 * patches**2 * width * config.depth
        total += 2 * (each * patches + group * patches / config.spatial_merge_size**2 + attention)
    return total


def decoding_bytes(
    model: Any, prompts: Sequence[int], lengths: Sequence[Sequence[int]], weight_bytes: int
) -> float:
    """Read from memory while completions (P, G) are written, after the first token of each."""
    config = model.config.text_config
    heads = config.num_key_value_heads
    of_token = 2 * config.num_hidden_layers * heads * _width(config) * weight_bytes
    head = model.get_output_embeddings().weight.numel()
    weights = (_weights(model.get_decoder().layers) + head) * weight_bytes
    written = [[count - 1 for count in group] for group in lengths]
    turns = max(max(group) for group in written)
    of_prompts = sum(length * max(group) for length, group in zip(prompts, written, strict=True))
    own = sum(n * (n + 1) / 2 for group in written for n in group)
    return turns * weights + (of_prompts + own) * of_token


def _width(config: Any) -> int:
    """Of a head."""
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def _weights(module: torch.nn.Module) -> int:
    """Weights of matrices: each takes a product and a sum for every token."""
    return sum(weight.numel() for weight in module.parameters() if weight.ndim > 1)
