"""Where a run stands in its data: a pure function of seed, epoch and step.

A checkpoint holds only epoch and step, and a run that goes on from it, in the middle of an epoch
too, reads the very batches that it would have read. So does one on another number of ranks whose
batches are together as large.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from reasonrft.datamodules.batch_plans import Batches, Share, share_of_examples
from reasonrft.errors import BadInput
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

    @property
    def sampler(self) -> "BatchSampler":
        """Lightning looks here for whom to tell the epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self._batches_of(self.epoch)[self.start :]:
            yield self.share(batch, self.rank, self.ranks)

    def first_of(self, epoch: int) -> list[int]:
        """The first batch of an epoch."""
        return self.share(self._batches_of(epoch)[0], self.rank, self.ranks)

    def _batches_of(self, epoch: int) -> Batches:
        return self.plan(random.Random(f"{self.seed}/{epoch}"))


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
        self._peeked: Any = None

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        # As a generator it begins with the first batch, when Lightning has told the epoch.
        resumed, self.resumed = self.resumed, {}
        # A checkpoint from the end of an epoch goes on with the next one.
        self.seen = resumed["seen"] if resumed.get("epoch") == self.order.epoch else 0
        self.order.start = self.seen
        self._unread, self._peeked = super().__iter__(), None
        while (batch := self._read()) is not None:
            # Counted here and not in the workers, which read ahead.
            self.seen += 1
            yield batch

    def peek(self, ends_epoch: bool = False) -> Any:
        """The batch after the one read last, which stays to be read.

        Args:
            ends_epoch: Whether it is the first of the next epoch, though this one has more.
        """
        if ends_epoch or self.seen == len(self.order):
            problems = [self.dataset[item] for item in self.order.first_of(self.order.epoch + 1)]
            return _unless_bad(self.collate_fn(problems))
        if self._peeked is None:
            self._peeked = next(self._unread)
        return self._peeked

    def _read(self) -> Any:
        if self._peeked is None:
            return next(self._unread, None)
        batch, self._peeked = self._peeked, None
        return batch

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
