"""Where a run stands in its data: a pure function of seed, epoch and step.

A checkpoint holds only epoch and step, and a run that goes on from it, in the middle of an epoch
too, reads the very batches that it would have read. So does one on another number of ranks whose
batches are together as large.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from reasonrft.datamodules.batch_plans import Batches, Share, share_of_examples
from reasonrft.errors import BadInput
from reasonrft.policy.encoder import PromptBatch
from reasonrft.problems import Problem


class BatchSampler(Sampler[list[int]]):
    """The batches of an epoch, from batch `start` on: one rank's share of each.

    Batches are those of all ranks together, so that nothing here but the share depends on how many
    they are. A batch of fewer examples than ranks leaves some with an empty share.
    """

    def __init__(
        self,
        plan: Callable[[random.Random], Batches],
        name: str,
        seed: int = 0,
        rank: int = 0,
        ranks: int = 1,
        share: Share = share_of_examples,
    ) -> None:
        """
        Args:
            plan: All batches of an epoch, given its randomness; always equally many.
            name: What is read, and in what batches, for the checkpoint to be compared with.
            seed: Another seed is another order.
            rank: Which process this is.
            ranks: How many processes share a batch.
            share: What of a batch a rank reads.
        """
        self.plan, self.seed, self.rank, self.ranks = plan, seed, rank, ranks
        self.name, self.share = f"{name}, seed {seed}", share
        self.epoch = self.start = 0
        self._count = len(plan(random.Random(0)))
        self._planned: tuple[int, Batches] = (-1, [])

    @property
    def sampler(self) -> "BatchSampler":
        """Lightning looks here for whom to tell the epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self._count

    @property
    def revision(self) -> Any:
        """Changes when batches that are still to come become other ones."""
        return None

    def __iter__(self) -> Iterator[list[int]]:
        epoch = self.epoch
        for number in range(self.start, len(self)):
            yield self.share_of(epoch, number)

    def share_of(self, epoch: int, number: int) -> list[int]:
        """What this rank reads of a batch."""
        return self.share(self.batch(epoch, number), self.rank, self.ranks)

    def step(self, epoch: int, number: int) -> int:
        """How many batches come before this one, where no epoch is cut short."""
        return epoch * len(self) + number

    def batch(self, epoch: int, number: int) -> list[int]:
        """A batch of all ranks together."""
        return self._batches_of(epoch)[number]

    def others(
        self, epoch: int, number: int, rows: Sequence[int], attempt: int
    ) -> tuple[list[int], list[int]]:
        """Other examples for some rows of this rank's share, and the rows that there are any for.

        No two are the same, of any ranks and attempts (1, 2, ...), nor in the batch.
        """
        batch, mine = self.batch(epoch, number), self.share_of(epoch, number)
        candidates = self.candidates(epoch, number)
        first = (attempt - 1) * len(batch)
        places = {row: first + batch.index(mine[row]) for row in rows}
        left = [row for row in rows if places[row] < len(candidates)]
        return left, [candidates[places[row]] for row in left]

    def candidates(self, epoch: int, number: int) -> list[int]:
        """What is not in a batch, in random order."""
        batch = set(self.batch(epoch, number))
        left = [item for other in self._batches_of(epoch) for item in other if item not in batch]
        return random.Random(f"{self.seed}/{epoch}/{number}/others").sample(left, len(left))

    def _batches_of(self, epoch: int) -> Batches:
        planned = self._planned
        if planned[0] != epoch:
            planned = self._planned = (epoch, self.plan(random.Random(f"{self.seed}/{epoch}")))
        return planned[1]


class ProblemLoader(DataLoader[Any]):
    """Encoded batches of problems; bad input in a worker is raised as it is, in one sentence."""

    def __init__(
        self,
        problems: Sequence[Problem],
        batches: Sampler[list[int]] | Batches,
        encode: Callable[[list[Problem]], Any],
        workers: int = 0,
    ) -> None:
        super().__init__(
            problems,  # type: ignore[arg-type]  # a sequence is all that it uses of a Dataset
            batch_sampler=batches,
            collate_fn=encode,
            num_workers=workers,
            persistent_workers=workers > 0,
            # Seeds of workers come from here, not from the randomness that training uses.
            generator=torch.Generator(),
        )

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # a generator suffices
        for batch in super().__iter__():
            yield _unless_bad(batch)


class ResumableLoader(ProblemLoader):
    """A loader whose place in the epoch Lightning keeps in its checkpoints."""

    def __init__(
        self,
        problems: Sequence[Problem],
        batch_sampler: BatchSampler,
        encode: Callable[[list[Problem]], Any],
        workers: int = 0,
    ) -> None:
        super().__init__(problems, batch_sampler, encode, workers)
        self.order = batch_sampler
        self.seen = 0
        self.resumed: dict[str, Any] = {}
        self._unread: Iterator[Any] = iter(())
        self._revision: Any = None
        self._peeked: Any = None

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        # As a generator it begins with the first batch, when Lightning has told the epoch.
        resumed, self.resumed = self.resumed, {}
        # A checkpoint from the end of an epoch goes on with the next one.
        self.seen = resumed["seen"] if resumed.get("epoch") == self.order.epoch else 0
        self._begin()
        self._peeked = None
        while (batch := self._read()) is not None:
            # Counted here and not in the workers, which read ahead.
            self.seen += 1
            yield batch

    @property
    def step(self) -> int:
        """The step of the batch that was read last."""
        return self.order.step(self.order.epoch, self.seen - 1)

    def peek(self, ends_epoch: bool = False) -> Any:
        """The batch after the one read last, which stays to be read.

        Args:
            ends_epoch: Whether it is the first of the next epoch, though this one has more.
        """
        if ends_epoch or self.seen == len(self.order):
            epoch = self.order.epoch + 1
            first = self._encoded(self.order.share_of(epoch, 0))
            return self._with_others(first, epoch, 0)
        if self._peeked is None:
            self._peeked = self._next()
        return self._peeked

    def _begin(self) -> None:
        """Read on from here; what workers have read ahead is dropped."""
        self.order.start, self._revision = self.seen, self.order.revision
        self._unread = super().__iter__()

    def _read(self) -> Any:
        batch, self._peeked = self._peeked, None
        return self._next() if batch is None else batch

    def _next(self) -> Any:
        if self._revision != self.order.revision:
            self._begin()
        return self._with_others(next(self._unread, None), self.order.epoch, self.seen)

    def _with_others(self, batch: Any, epoch: int, number: int) -> Any:
        """A batch of prompts that knows where others are for its own."""
        if not isinstance(batch, PromptBatch):
            return batch
        return replace(batch, others=partial(self._others, epoch, number))

    def _others(
        self, epoch: int, number: int, rows: Sequence[int], attempt: int
    ) -> tuple[list[int], Any]:
        left, items = self.order.others(epoch, number, rows, attempt)
        return left, self._encoded(items)

    def _encoded(self, items: Sequence[int]) -> Any:
        return _unless_bad(self.collate_fn([self.dataset[item] for item in items]))

    def state_dict(self) -> dict[str, Any]:
        position = {"epoch": self.order.epoch, "seen": self.seen, "of": len(self.order)}
        return self.resumed or position | {"order": self.order.name}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if 0 < state["seen"] < state["of"] and state["order"] not in (self.order.name, None):
            raise BadInput(
                f"the checkpoint stands in the middle of {state['order']}; this run reads "
                f"{self.order.name}: go on with the same data, batches and seed"
            )
        # In another order, as far into the epoch.
        seen = state["seen"] * len(self.order) // max(1, state["of"])
        self.resumed = dict(state) if state["order"] else {**state, "seen": seen}


def _unless_bad(batch: Any) -> Any:
    if isinstance(batch, BadInput):
        raise batch
    return batch
