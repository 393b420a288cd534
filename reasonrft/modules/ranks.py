"""What the processes of a run, its ranks, have to tell each other: all of them call all of this.

Every rank has prompts of its own, and not always equally many.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from reasonrft.errors import BadInput

T = TypeVar("T")


def gathered(value: T) -> list[T]:
    """What every rank has, rank by rank; tensors lie on the CPU."""
    if not distributed.is_initialized():
        return [value]
    found: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(found, value)
    return found


def across(function: Callable[..., Tensor], *rows: Tensor) -> Tensor:
    """This rank's rows of what a function makes of the rows of all ranks."""
    if not distributed.is_initialized():
        return function(*rows)
    everybodys = gathered(rows)
    whole = function(*map(torch.cat, zip(*everybodys, strict=True)))
    return whole.split([len(first) for first, *_ in everybodys])[distributed.get_rank()]


@contextmanager
def together() -> Iterator[None]:
    """What stops one rank in here stops all after it, for they would wait for that one forever."""
    fault = None
    try:
        yield
    except Exception as error:  # rewards are anybody's code, and raise anything
        fault = error
    faults = gathered(fault and _told(fault))
    if fault is not None:
        raise fault
    for said in filter(None, faults):
        raise BadInput(said)


def _told(fault: Exception) -> str:
    if isinstance(fault, BadInput):
        return str(fault)
    return f"another process was stopped by {fault!r}"
