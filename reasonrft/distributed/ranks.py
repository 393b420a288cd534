"""What the ranks of a run tell each other; every function here is called by all ranks.

Each rank has prompts of its own, and not always the same number of them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from reasonrft.errors import BadInput, Stopped

T = TypeVar("T")


def rank() -> int:
    """The number of this process."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def is_first_rank() -> bool:
    """Whether this process is the one that writes files."""
    return rank() == 0


def print_once(text: str) -> None:
    """On one rank; Lightning's own way says nothing once its progress bars are closed."""
    if is_first_rank():
        print(text, flush=True)


def all_gather(value: T) -> list[T]:
    """The values of all ranks, in order of rank; tensors lie on the CPU."""
    if not distributed.is_initialized():
        return [value]
    values: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(values, value)
    return values


def over_all_ranks(function: Callable[..., Tensor], *rows: Tensor) -> Tensor:
    """This rank's rows of the result that a function has for the rows of all ranks."""
    if not distributed.is_initialized():
        return function(*rows)
    rows_by_rank = all_gather(rows)
    # A rank without any row does not know how long one is.
    there = [rows for rows in rows_by_rank if len(rows[0])]
    result = function(*map(torch.cat, zip(*there, strict=True)))
    return result.split([len(first) for first, *_ in rows_by_rank])[distributed.get_rank()]


@contextmanager
def raise_on_all_ranks() -> Iterator[None]:
    """An exception on one rank is raised on all, which would otherwise wait for it forever."""
    fault = None
    try:
        yield
    except Exception as error:  # rewards are anybody's code, and raise anything
        fault = error
    faults = all_gather(fault and _of_another(fault))
    if fault is not None:
        raise fault
    for other in filter(None, faults):
        raise other


def _of_another(fault: Exception) -> Exception:
    """What a fault is for other ranks."""
    if isinstance(fault, Stopped):
        return Stopped()
    if isinstance(fault, BadInput):
        return BadInput(str(fault))
    return BadInput(f"another process was stopped by {fault!r}")


def all_here(seconds: float) -> bool:
    """Whether all ranks come here within some time; asked at most once in a run."""
    if not distributed.is_initialized():
        return True
    store = distributed.distributed_c10d._get_default_store()
    try:
        store.set(f"reasonrft/here/{rank()}", "")
        here = [f"reasonrft/here/{other}" for other in range(distributed.get_world_size())]
        store.wait(here, timedelta(seconds=seconds))
    except RuntimeError:  # in vain, or the store was that of a process that has ended
        return False
    return True
