"""A policy whose weights have shapes and types and no contents: what runs on it is only watched."""

from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import PreTrainedModel

from reasonrft.errors import BadInput
from reasonrft.policy.adapters import Lora
from reasonrft.policy.image_features import ImageFeatureCache
from reasonrft.policy.loading import full_precision, load_outline
from reasonrft.policy.policy import Policy

BLOCK = 64
"""Weights in 4 bits that share a scale, as bitsandbytes makes them where it is told nothing."""
BLOCK_OF_SCALES = 256


def hollow(policy: Policy, fake: FakeTensorMode) -> None:
    """Prepare a policy as for training, from its config.json alone."""
    if policy.adapter and policy.adapter.path:
        policy.adapter = _outline_of(policy.adapter)
    with fake:
        model = load_outline(*policy.source)
        if policy.quantize:
            _quantize(model)
        policy.prepare(model)
    policy.image_features = HollowFeatures(0)
    # Nothing is sampled: that there are placeholders is enough.
    policy._placeholders = [0]


class HollowFeatures(ImageFeatureCache):
    """Knows images by the tensor that they are, for these have no contents; keeps all of them."""

    def key(self, pixels: Tensor) -> bytes:
        return str(id(pixels)).encode()

    def _put(self, key: bytes, features: Any) -> None:
        self._entries[key] = features


def _outline_of(saved: Lora) -> Lora:
    """A new adapter in the shape of a saved one."""
    from peft import PeftConfig

    try:
        settings: Any = PeftConfig.from_pretrained(str(saved.path))
    except (OSError, ValueError) as error:
        raise BadInput(f"{saved.path} holds no adapter that can be read: {error}") from error
    targets = sorted({name.rpartition(".")[2] for name in settings.target_modules})
    return Lora(settings.r, settings.lora_alpha, settings.lora_dropout, targets)


def _quantize(model: PreTrainedModel) -> None:
    """Hold the language model's linear layers in 4 bits."""
    kept = full_precision(model)
    for name, layer in list(model.named_modules()):
        inside = any(name == prefix or name.startswith(f"{prefix}.") for prefix in kept)
        if isinstance(layer, nn.Linear) and not inside:
            model.set_submodule(name, _in_four_bits(layer))
    model.is_loaded_in_4bit = True  # asked for by peft


def _in_four_bits(layer: nn.Linear) -> nn.Module:
    from bitsandbytes.functional import QuantState
    from bitsandbytes.nn import Linear4bit

    dtype, count = layer.weight.dtype, layer.weight.numel()
    made = Linear4bit(layer.in_features, layer.out_features, False, dtype, True, "nf4")
    made.bias, made.support_avx512bf16_for_cpu = layer.bias, False
    weight: Any = nn.Parameter(torch.empty((count + 1) // 2, 1, dtype=torch.uint8), False)
    scales = -(-count // BLOCK)
    of_scales = QuantState(
        absmax=torch.empty(-(-scales // BLOCK_OF_SCALES)),
        code=torch.empty(256),
        blocksize=BLOCK_OF_SCALES,
        dtype=torch.float32,
    )
    weight.quant_state = QuantState(
        absmax=torch.empty(scales, dtype=torch.uint8),
        shape=layer.weight.shape,
        code=torch.empty(16),
        blocksize=BLOCK,
        quant_type="nf4",
        dtype=dtype,
        offset=torch.empty(()),
        state2=of_scales,
    )
    weight.compress_statistics, weight.quant_type = True, "nf4"  # asked for by peft
    made.weight = weight
    return made


def scales_of(model: nn.Module) -> list[Tensor]:
    """What weights in 4 bits have beside them."""
    states = [getattr(value, "quant_state", None) for value in model.parameters()]
    return [
        tensor
        for state in states
        if state is not None
        for tensor in (state.absmax, state.offset, state.state2.absmax)
    ]
