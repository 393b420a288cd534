"""Image features: the vision tower runs once per prompt, its output is used in several passes."""

import hashlib
import inspect
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from reasonrft.policy.collate import TEXT_KEYS, Inputs

PIXELS = "pixel_values"


@dataclass(frozen=True)
class ImageFeatures:
    """The features of one prompt's images, as the family's own encoder returns them."""

    pooled: Any
    """One tensor, or one for each image."""
    deep: tuple[Any, ...] = ()
    """Features for deeper layers (DeepStack), by layer."""

    @property
    def bytes(self) -> int:
        return sum(tensor.nbytes for level in (self.pooled, *self.deep) for tensor in level)


def without_pixels(inputs: Inputs) -> dict[str, Tensor]:
    return {name: value for name, value in inputs.items() if name != PIXELS}


def encode(model: Any, inputs: Inputs) -> ImageFeatures:
    """Run the vision tower and the projector on a prompt's images."""
    images = {name: value for name, value in inputs.items() if name not in TEXT_KEYS}
    images[PIXELS] = images[PIXELS].to(model.dtype)  # not every tower does this itself
    output = model.model.get_image_features(**images, return_dict=True)
    deep = tuple(getattr(output, "deepstack_features", None) or ())
    return ImageFeatures(output.pooler_output, deep)


def takes_features(model: Any) -> bool:
    """Whether the model's forward takes features in the place of pixels."""
    return "mm_encoder_outputs" in inspect.signature(model.model.forward).parameters


def as_encoder_output(features: Iterable[ImageFeatures | None]) -> dict[str, SimpleNamespace]:
    """The features of several prompts, in order, in the form that a model's forward takes."""
    present = [prompt for prompt in features if prompt is not None]
    levels = zip(*(prompt.deep for prompt in present), strict=True)
    return {
        "image": SimpleNamespace(
            pooler_output=_concatenate([prompt.pooled for prompt in present]),
            deepstack_features=[_concatenate(level) for level in levels],
        )
    }


def _concatenate(values: Sequence[Any]) -> Any:
    if isinstance(values[0], Tensor):
        return torch.cat(list(values))
    return [tensor for value in values for tensor in value]


class ImageFeatureCache:
    """Keeps features while tower and projector do not change; drops the least recently used.

    Each prompt's images are encoded alone. In a batch, rounding would depend on the other prompts,
    and a run resumed with an empty cache would come out differently.

    Features of images that are made for one step are kept apart, as long as the pixels they are of:
    they drive out none, and none is taken for them.
    """

    def __init__(self, megabytes: int) -> None:
        self.free_bytes = megabytes * 2**20
        self.encoded = 0
        """Images that the tower encoded; those found in the cache do not count."""
        self._entries: OrderedDict[bytes, ImageFeatures] = OrderedDict()
        # A prompt is read several times in a step: in the rollout, and in every pass of scoring.
        self._keys = WeakIdKeyDictionary()
        self._transient = WeakIdKeyDictionary()

    def get(
        self, model: Any, inputs: Inputs, images: int, transient: bool = False
    ) -> ImageFeatures | None:
        """Features of a prompt that has so many images; None for a prompt without images."""
        if PIXELS not in inputs:
            return None
        if transient:
            pixels = inputs[PIXELS]
            if pixels not in self._transient:
                self._transient[pixels] = self._encode(model, inputs, images)
            return self._transient[pixels]
        key = self.key(inputs[PIXELS])
        if key in self._entries:
            self._entries.move_to_end(key)
            return self._entries[key]
        features = self._encode(model, inputs, images)
        self._put(key, features)
        return features

    def _encode(self, model: Any, inputs: Inputs, images: int) -> ImageFeatures:
        self.encoded += images
        return encode(model, {name: value.to(model.device) for name, value in inputs.items()})

    def key(self, pixels: Tensor) -> bytes:
        """What images are known by."""
        if pixels not in self._keys:
            self._keys[pixels] = hashlib.sha256(pixels.numpy().tobytes()).digest()
        return self._keys[pixels]

    def _put(self, key: bytes, features: ImageFeatures) -> None:
        self._entries[key] = features
        self.free_bytes -= features.bytes
        while self.free_bytes < 0:
            _, dropped = self._entries.popitem(last=False)
            self.free_bytes += dropped.bytes
