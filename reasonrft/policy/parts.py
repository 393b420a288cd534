"""Where a family keeps its vision tower, its projector and its language model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn
from transformers import PreTrainedModel

from reasonrft.errors import BadInput

Part = Literal["language", "projector", "tower"]
PARTS: tuple[Part, ...] = ("language", "projector", "tower")

# Qwen's towers end in what projects their features into the language model.
_PROJECTORS_IN_TOWER = ("merger", "deepstack_merger_list")


@dataclass(frozen=True)
class Parts:
    """Dotted module names; what is in none of them projects from the tower to the language."""

    tower: str
    projector: tuple[str, ...]
    language: str
    head: str

    def part_of(self, name: str) -> Part:
        """The part that a module or parameter belongs to, by its dotted name."""
        if any(_within(name, prefix) for prefix in self.projector):
            return "projector"
        if _within(name, self.tower):
            return "tower"
        if _within(name, self.language) or _within(name, self.head):
            return "language"
        return "projector"


def parts_of(model: PreTrainedModel) -> Parts:
    """Find the parts of a model by what transformers itself calls its encoder and decoder."""
    tower, decoder, head = (
        model.get_encoder("image"),
        model.get_decoder(),
        model.get_output_embeddings(),
    )
    names = {id(module): name for name, module in model.named_modules()}
    if tower is model or decoder is model or id(head) not in names:
        raise BadInput(
            f"{type(model).__name__} does not show its vision tower and language model as "
            "transformers' other families do, and cannot be trained in parts"
        )
    at, language = names[id(tower)], names[id(decoder)]
    inside = [f"{at}.{name}" for name in _PROJECTORS_IN_TOWER if hasattr(tower, name)]
    beside = [name for name in _siblings(model, at) if name not in (at, language, names[id(head)])]
    return Parts(at, (*inside, *beside), language, names[id(head)])


def _siblings(model: nn.Module, name: str) -> list[str]:
    parent = name.rpartition(".")[0]
    children = [child for child, _ in model.get_submodule(parent).named_children()]
    return [f"{parent}.{child}" if parent else child for child in children]


def _within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def image_layers(model: PreTrainedModel) -> set[int]:
    """Numbers of decoder layers that attend to images, and are skipped where there is none."""
    return set(getattr(model.get_decoder().config, "cross_attention_layers", None) or ())


def always_run_layers(model: PreTrainedModel) -> list[nn.Module]:
    """The decoder layers that every row passes."""
    skipped = image_layers(model)
    layers = model.get_decoder().layers
    return [layer for number, layer in enumerate(layers) if number not in skipped]


def trained_on_images(model: PreTrainedModel) -> list[str]:
    """Names of the trained weights that a row without images does not use."""
    parts = parts_of(model)
    skipped = [f"{parts.language}.layers.{number}" for number in image_layers(model)]
    return [
        name
        for name, weight in model.named_parameters()
        if weight.requires_grad
        and (parts.part_of(name) != "language" or any(_within(name, at) for at in skipped))
    ]


def linear_layers(model: PreTrainedModel, train: Sequence[Part]) -> list[str]:
    """Names of the linear layers within parts, but for the head that writes the logits."""
    _check(train)
    parts = parts_of(model)
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name != parts.head and parts.part_of(name) in train
    ]


def freeze(model: PreTrainedModel, train: Sequence[Part]) -> None:
    """Let these parts take gradients and no others; embeddings and head go with the language."""
    _check(train)
    parts = parts_of(model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(parameter.is_floating_point() and parts.part_of(name) in train)


def _check(train: Sequence[Part]) -> None:
    for part in train:
        if part not in PARTS:
            raise BadInput(f"{part!r} is no part of a model: {', '.join(PARTS)} are")
