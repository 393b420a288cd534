"""What each rank holds of a step's memory, where weights are spread over ranks (FSDP2) or copied.

R ranks that share one copy of the weights. A rank keeps one R-th of weights, gradients, optimizer
and reference. Beside that it holds, for a while, whole weights of what it computes with.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from reasonrft.planning.memory_trace import Parts
from reasonrft.policy.parts import always_run_layers

SHARDED = ("weights", "gradients", "optimizer", "reference")
WHOLE = ("rollout", "evaluation", "check")
"""Phases for which all weights are gathered: each rank runs what it likes."""


@dataclass(frozen=True)
class Ranks:
    """How many ranks there are, and what they share."""

    devices: int = 1
    """Of a node."""
    nodes: int = 1
    kind: Literal["single", "ddp", "fsdp"] = "single"
    shard_size: int | None = None
    """Ranks that share one copy of the weights; all if not given."""

    @property
    def total(self) -> int:
        return self.devices * self.nodes

    @property
    def shards(self) -> int:
        return (self.shard_size or self.total) if self.kind == "fsdp" else 1


@dataclass(frozen=True)
class Units:
    """Bytes of the weights that are gathered together, and of their gradients."""

    all: int
    root: int
    """What stays gathered through forward and backward: embeddings, head, vision tower."""
    layer: int
    trained: int
    trained_root: int
    trained_layer: int


def units_of(model: Any) -> Units:
    """A model's units as `policy/sharding.py` makes them: each decoder layer, and all else."""
    layers = always_run_layers(model)
    whole, layer = (_bytes(module) for module in (model, layers[0]))
    trained, trained_layer = (_bytes(module, True) for module in (model, layers[0]))
    return Units(
        all=whole,
        root=whole - len(layers) * layer,
        layer=layer,
        trained=trained,
        trained_root=trained - len(layers) * trained_layer,
        trained_layer=trained_layer,
    )


def _bytes(module: nn.Module, trained: bool = False) -> int:
    """Without weights in 4 bits, which are whole on every rank."""
    return sum(
        value.nbytes
        for value in module.parameters()
        if value.dtype != torch.uint8 and (value.requires_grad or not trained)
    )


def share(phase: str, parts: Parts, ranks: Ranks, units: Units) -> Parts:
    """The bytes of one rank at the peak of a phase, given those without other ranks."""
    held = Counter(parts)
    if ranks.kind == "ddp":
        # Gradients are averaged in buckets, which are a second copy.
        held["gradients of all ranks"] = units.trained
    if ranks.kind == "fsdp":
        for name in SHARDED:
            held[name] = -(-held[name] // ranks.shards)
        held["weights gathered"] = _gathered(phase, units)
        if phase == "update":
            # While one layer's gradients are sent, the next one's are computed.
            held["gradients of all ranks"] = units.trained_root + 2 * units.trained_layer
    return +held


def _gathered(phase: str, units: Units) -> int:
    if phase in WHOLE:
        return units.all
    if phase == "optimizer":
        return 0
    # The next layer is gathered while one is computed.
    return units.root + 2 * units.layer
