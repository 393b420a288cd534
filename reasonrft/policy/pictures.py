"""What the language model gets to see of pictures: encoded once, used in several passes."""

import hashlib
import inspect
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from reasonrft.policy.batching import TEXT_KEYS, Inputs

PIXELS = "pixel_values"


@dataclass(frozen=True)
class Sight:
    """The features of one prompt's pictures, as the family's own encoder gives them."""

    pooled: Any
    """One tensor, or one for each picture."""
    deep: tuple[Any, ...] = ()
    """Those that go into deeper layers (DeepStack), by layer."""

    @property
    def bytes(self) -> int:
        return sum(one.nbytes for level in (self.pooled, *self.deep) for one in level)


def without_pixels(prompt: Inputs) -> dict[str, Tensor]:
    return {name: value for name, value in prompt.items() if name != PIXELS}


def encode(model: Any, prompt: Inputs) -> Sight:
    """See a prompt's pictures, without its text."""
    pictures = {name: value for name, value in prompt.items() if name not in TEXT_KEYS}
    pictures[PIXELS] = pictures[PIXELS].to(model.dtype)  # not every tower does this itself
    output = model.model.get_image_features(**pictures, return_dict=True)
    return Sight(output.pooler_output, tuple(getattr(output, "deepstack_features", None) or ()))


def takes_features(model: Any) -> bool:
    """Whether a family reads features in the place of pixels."""
    return "mm_encoder_outputs" in inspect.signature(model.model.forward).parameters


def as_output(sights: Iterable[Sight | None]) -> dict[str, SimpleNamespace]:
    """The pictures of several prompts, in their order, as a model's forward takes them."""
    seen = [sight for sight in sights if sight is not None]
    levels = zip(*(sight.deep for sight in seen), strict=True)
    return {
        "image": SimpleNamespace(
            pooler_output=_chain([sight.pooled for sight in seen]),
            deepstack_features=[_chain(level) for level in levels],
        )
    }


def _chain(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], Tensor):
        return torch.cat(list(parts))
    return [one for part in parts for one in part]


class Sights:
    """Remembers what was seen while the eyes do not change; forgets the oldest first.

    Every prompt's pictures are encoded by themselves: in a batch, rounding would depend on the
    company, and a run that was resumed with nothing to remember would come out differently.
    """

    def __init__(self, megabytes: int) -> None:
        self.room = megabytes * 2**20
        self.encoded = 0
        """Pictures that were encoded, not remembered."""
        self._known: OrderedDict[bytes, Sight] = OrderedDict()

    def look(self, model: Any, prompt: Inputs, pictures: int) -> Sight | None:
        """What is seen of a prompt's pictures, given how many it has; None if none."""
        if PIXELS not in prompt:
            return None
        key = hashlib.sha256(prompt[PIXELS].numpy().tobytes()).digest()
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        sight = encode(model, {name: value.to(model.device) for name, value in prompt.items()})
        self.encoded += pictures
        self._remember(key, sight)
        return sight

    def _remember(self, key: bytes, sight: Sight) -> None:
        self._known[key] = sight
        self.room -= sight.bytes
        while self.room < 0:
            _, oldest = self._known.popitem(last=False)
            self.room += oldest.bytes
