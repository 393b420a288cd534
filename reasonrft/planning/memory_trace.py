"""What memory some code takes, watched operation by operation, without the memory itself.

Floating-point tensors are fake: they have shape and type, and no contents. Integers are real, for
the code asks them how to go on (positions, places, grids of patches). Every operation returns
tensors, tensors have storages, and a storage lives until nothing refers to it, autograd included:
what backward keeps need not be known here, it is kept.
"""

import weakref
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

LARGE = 1_000_000
"""Numbers in a real tensor of floats from which on a fake one takes its place."""
FACTORIES = ("zeros", "ones", "full", "empty", "rand")

Parts = Mapping[str, int]
"""Bytes by part."""


@dataclass
class Living:
    """A storage that something refers to."""

    size: int
    part: str
    number: int
    """How many were made before it."""


class MemoryTrace(TorchDispatchMode):
    """Counts the bytes that live, by the part that they were made for; knows each phase's peak."""

    def __init__(self, fake: FakeTensorMode, vocabulary: int, on_gpu: bool = False) -> None:
        """
        Args:
            fake: The mode of all fake tensors.
            vocabulary: Width of logits, by which they are known.
            on_gpu: Whether it is a GPU's memory: some kernels need less there.
        """
        super().__init__()
        self.fake, self.vocabulary, self.on_gpu = fake, vocabulary, on_gpu
        self.phases: dict[str, Parts] = {}
        self._part = "activations"
        self._live: dict[int, Living] = {}
        self._now: Counter[str] = Counter()
        self._total = self._most = self._made = self._made_at_peak = 0
        self._peak: Counter[str] = Counter()
        self._parameters: set[int] = set()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What is made within belongs to this part."""
        before, self._part = self._part, name
        try:
            yield
        finally:
            self._part = before

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Within is a phase of the step; of a phase that comes again the greater peak is kept."""
        self._most = 0
        self._look()
        try:
            yield
        finally:
            if name not in self.phases or self._most > sum(self.phases[name].values()):
                self.phases[name] = +self._peak

    def belongs(self, values: Any, part: str) -> None:
        """The storages of these tensors belong to this part, whatever they were made for."""
        for value in tree_leaves(values):
            if isinstance(value, Tensor):
                self._count(value, part)
                living = self._live[value.untyped_storage()._cdata]
                # What has lived since before the peak belonged to this part then, too.
                counts = [self._now]
                counts += [self._peak] if living.number < self._made_at_peak else []
                for count in counts:
                    count[living.part] -= living.size
                    count[part] += living.size
                living.part = part

    def watch(self, module: nn.Module) -> None:
        """Count a module's weights, and know their gradients and casts for what they are."""
        for name, value in [*module.named_parameters(), *module.named_buffers()]:
            four_bits = name.endswith("weight") and value.dtype == torch.uint8
            self.belongs(value, "weights in 4 bits" if four_bits else "weights")
            self._parameters.add(value.untyped_storage()._cdata)
            if value.requires_grad:
                value.register_post_accumulate_grad_hook(
                    lambda weight: self.belongs(weight.grad, "gradients")
                )

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if name == "index" and isinstance(args[0], FakeTensor):
            args = (args[0], _places(args[1]))
        if FakeTensor in types or (name in FACTORIES and _is_large(args[0], kwargs)):
            result = self.fake.dispatch(func, types, args, kwargs)
        else:
            result = func(*args, **kwargs)
        part = self._part
        if name == "_to_copy" and self._is_weight(args[0]):
            part = "weights cast"
        for value in tree_leaves(result):
            if isinstance(value, Tensor):
                is_logits = value.is_floating_point() and value.shape[-1:] == (self.vocabulary,)
                self._count(value, "head" if is_logits else part)
        self._look(self._scratch(name, args))
        return result

    def _scratch(self, name: str, args: Any) -> int:
        """What bitsandbytes' kernels take for a moment."""
        if name == "gemm_4bit":  # a whole weight of the 4 bits
            return prod(args[2]) * args[0].element_size()
        if name == "optimizer_update_8bit_blockwise" and not self.on_gpu:
            # On a CPU all is in float32: both moments, the gradient, a root and a quotient.
            return 5 * 4 * args[1].numel()
        return 0

    def _is_weight(self, value: Tensor) -> bool:
        return value.untyped_storage()._cdata in self._parameters

    def _count(self, value: Tensor, part: str) -> None:
        storage = value.untyped_storage()
        key = storage._cdata
        if key not in self._live:
            living = self._live[key] = Living(storage.nbytes(), part, self._made)
            self._made += 1
            self._now[part] += living.size
            self._total += living.size
            weakref.finalize(storage, self._forget, key)
            self._look()

    def _forget(self, key: int) -> None:
        living = self._live.pop(key)
        self._now[living.part] -= living.size
        self._total -= living.size
        self._parameters.discard(key)

    def _look(self, scratch: int = 0) -> None:
        if self._total + scratch > self._most:
            self._most = self._total + scratch
            self._made_at_peak = self._made
            self._peak = self._now + Counter({self._part: scratch})


def _places(index: Any) -> list[Any]:
    """Masks as the places where they are true: how many, the code relies on knowing."""
    places: list[Any] = []
    for each in index:
        is_mask = isinstance(each, Tensor) and each.dtype == torch.bool
        places += each.nonzero(as_tuple=True) if is_mask else [each]
    return places


def _is_large(size: Any, options: Mapping[str, Any]) -> bool:
    dtype = options.get("dtype") or torch.get_default_dtype()
    return dtype.is_floating_point and not isinstance(size, Tensor) and prod(size) > LARGE
