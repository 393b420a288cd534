"""A policy whose weights have shapes and types and no contents: what runs on it is only watched."""

from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import PreTrainedModel

from reasonrft.errors import BadInput
from reasonrft.policy.adapters import Lora
from reasonrft.policy.collate import Inputs
from reasonrft.policy.image_features import PIXELS, ImageFeatureCache
from reasonrft.policy.loading import full_precision, load_outline
from reasonrft.policy.policy import Policy

BLOCK = 64
"""Weights in 4 bits that share a scale, as bitsandbytes makes them where it is told nothing."""
BLOCK_OF_SCALES = 256


def hollow(policy: Policy, fake: FakeTensorMode) -> None:
    """Prepare a policy as for training, from its config.json alone."""
    if policy.adapter and policy.adapter.path:
        policy.adapter = _outline_of(policy.adapter)
    with torch.device("meta"):
        model = load_outline(*policy.source)
        if policy.quantize:
            _quantize(model)
        policy.prepare(model)
    with fake:
        _from_meta(model)
    policy.image_features = HollowFeatures(0)
    # Nothing is sampled: that there are placeholders and ends is enough.
    policy.placeholders = [0]
    policy.stop_ids = frozenset({0})


def weight_bytes(policy: Policy) -> int:
    """What the weights of a prepared policy take, with all that belongs to them."""
    model = policy.model
    values = [*model.parameters(), *model.buffers(), *scales_of(model)]
    return sum(value.nbytes for value in values)


class HollowFeatures(ImageFeatureCache):
    """Knows images by the tensor that they are, for these have no contents; keeps all of them."""

    def key(self, pixels: Tensor) -> bytes:
        return str(id(pixels)).encode()

    def _put(self, key: bytes, features: Any) -> None:
        self._entries[key] = features

    def bytes_of(self, inputs: Inputs) -> int:
        """What the features of these inputs take."""
        kept = PIXELS in inputs and self._entries.get(self.key(inputs[PIXELS]))
        return kept.bytes if kept else 0


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
    from bitsandbytes.nn import Linear4bit

    kept = full_precision(model)
    for name, layer in list(model.named_modules()):
        inside = any(name == prefix or name.startswith(f"{prefix}.") for prefix in kept)
        if isinstance(layer, nn.Linear) and not inside:
            has_bias, dtype = layer.bias is not None, layer.weight.dtype
            sizes = (layer.in_features, layer.out_features)
            made = Linear4bit(*sizes, has_bias, dtype, True, "nf4")
            made.bias, made.support_avx512bf16_for_cpu = layer.bias, False
            model.set_submodule(name, made)
    vars(model)["is_loaded_in_4bit"] = True  # asked for by peft


def _from_meta(model: nn.Module) -> None:
    """Let weights and buffers be on a device, for code that asks where; tied ones stay tied."""
    made: dict[int, Any] = {}
    for module in model.modules():
        for name, weight in module._parameters.items():
            if weight is not None:
                if id(weight) not in made:
                    made[id(weight)] = _weight(weight, module)
                module._parameters[name] = made[id(weight)]
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = torch.empty_like(buffer, device="cpu")


def _weight(weight: Tensor, module: nn.Module) -> Any:
    if type(weight).__name__ == "Params4bit":
        return _weight_in_four_bits(module)
    return nn.Parameter(torch.empty_like(weight, device="cpu"), weight.requires_grad)


def _weight_in_four_bits(layer: Any) -> Any:
    from bitsandbytes.functional import QuantState

    count = layer.in_features * layer.out_features
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
        shape=torch.Size((layer.out_features, layer.in_features)),
        code=torch.empty(16),
        blocksize=BLOCK,
        quant_type="nf4",
        dtype=layer.compute_dtype,
        offset=torch.empty(()),
        state2=of_scales,
    )
    return weight


def scales_of(model: nn.Module) -> list[Tensor]:
    """What weights in 4 bits have beside them."""
    states = [getattr(value, "quant_state", None) for value in model.parameters()]
    return [
        tensor
        for state in states
        if state is not None
        for tensor in (state.absmax, state.offset, state.state2.absmax)
    ]
