"""Batches that hold several sources in exact shares.

A batch is a function of seed and step: how many problems of a source come before it follows from
the weights, and which they are from the source's passes, each of which has an order of its own.
"""

import math
import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache

from reasonrft.datamodules.sampler import BatchSampler
from reasonrft.errors import BadInput
from reasonrft.problems import Problem


def items_by_source(problems: Sequence[Problem], names: Sequence[str]) -> dict[str, list[int]]:
    """Which problems each source has."""
    items: dict[str, list[int]] = {name: [] for name in names}
    for item, problem in enumerate(problems):
        items[problem.source].append(item)
    return items


def shares_told(weights: Mapping[str, float]) -> str:
    """Weights as they are told to users and to checkpoints."""
    return ", ".join(f"{name} {weight:g}" for name, weight in weights.items())


class Quotas:
    """How many problems of each source batches hold: its exact share, to within one at any time.

    Each batch goes by the largest remainder of what is due by then. Where a source has less than
    one problem in a batch, that could leave two of them due at once later: the one that must come
    earlier is taken first. After a period of batches all shares are exact, and it begins anew.
    """

    def __init__(self, weights: Mapping[str, float], batch_size: int) -> None:
        # As the user writes them: 0.1 is a tenth.
        exact = [Fraction(str(weight)) for weight in weights.values()]
        scale = math.lcm(*(weight.denominator for weight in exact))
        parts = [int(weight * scale) for weight in exact]
        self.names, self.size = tuple(weights), batch_size
        self.parts = [part // math.gcd(*parts) for part in parts]
        self.whole = sum(self.parts)
        self.period = self.whole // math.gcd(self.whole, batch_size)
        self._taken = [[0] * len(parts)]
        """After each batch of a period."""

    def taken(self, batches: int) -> dict[str, int]:
        """How many problems of each source so many batches hold together."""
        periods, rest = divmod(batches, self.period)
        while len(self._taken) <= rest:
            self._taken.append(self._next(len(self._taken), self._taken[-1]))
        whole = periods * self.period * self.size // self.whole
        counts = zip(self.names, self.parts, self._taken[rest], strict=True)
        return {name: whole * part + taken for name, part, taken in counts}

    def _next(self, batches: int, before: Sequence[int]) -> list[int]:
        due = [batches * self.size * part for part in self.parts]  # in parts of the whole
        taken = [max(had, due[at] // self.whole) for at, had in enumerate(before)]
        fractions = {
            at: due[at] - taken[at] * self.whole
            for at in range(len(due))
            if due[at] > taken[at] * self.whole
        }
        order = sorted(fractions, key=lambda at: (self._latest(at, taken[at] + 1), -fractions[at]))
        for at in order[: batches * self.size - sum(taken)]:
            taken[at] += 1
        return taken

    def _latest(self, at: int, count: int) -> int:
        """The batch by which a source must have had so many."""
        return -(-count * self.whole // (self.size * self.parts[at]))

    def most(self, name: str) -> int:
        """No batch has more of a source."""
        due = Fraction(self.size * self.parts[self.names.index(name)], self.whole)
        return int(due) if due.denominator == 1 else math.ceil(due) + 1


class Passes:
    """All items of a source in one order after another, none twice within so many in a row.

    What ends one pass does not begin the next. A source that three batches use up has one order.
    """

    def __init__(self, seed: str, items: Sequence[int], apart: int) -> None:
        self.seed, self.items, self.apart = seed, items, apart
        self._order = lru_cache(maxsize=2)(self._make_order)

    def read(self, start: int, end: int) -> list[int]:
        """The items from one place to another of all passes."""
        places = (divmod(at, len(self.items)) for at in range(start, end))
        return [self._order(turn)[at] for turn, at in places]

    def _make_order(self, turn: int) -> list[int]:
        if len(self.items) < 3 * self.apart:
            return self._shuffled(0)
        order = self._shuffled(turn)
        last = set(self._shuffled(turn - 1)[-self.apart :]) if turn else set()
        # These are of the first two thirds, so that the end of the order stays what it was.
        first = [item for item in order if item not in last][: self.apart]
        begun = set(first)
        return first + [item for item in order if item not in begun]

    def _shuffled(self, turn: int) -> list[int]:
        return random.Random(f"{self.seed}/{turn}").sample(self.items, len(self.items))


class MixtureSampler(BatchSampler):
    """Batches with an exact share of each source, which begins anew when it is used up.

    An epoch has as many batches as the problems of all sources fill.
    """

    def __init__(
        self,
        items: Mapping[str, list[int]],
        weights: Mapping[str, float],
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        """
        Args:
            items: Which problems each source has.
            weights: The shares of sources, of any sum.
            batch_size: Problems in a batch of all ranks together.
            seed: Another seed is another order.
            rank: Which process this is.
            ranks: How many processes share a batch.
        """
        self.items, self.quotas = items, Quotas(weights, batch_size)
        self.source_of = {item: name for name, own in items.items() for item in own}
        for name, own in items.items():
            if self.quotas.most(name) > len(own):
                raise BadInput(
                    f"a batch of {batch_size} takes up to {self.quotas.most(name)} problems of "
                    f"source {name!r}, which has {len(own)} to train on: take more of them, a "
                    "smaller batch_size, or a smaller weight"
                )
        self.passes = {
            name: Passes(f"{seed}/source {name}", own, self.quotas.most(name))
            for name, own in items.items()
        }
        count = len(self.source_of)
        name = f"{count:,} problems in batches of {batch_size}, by weights {shares_told(weights)}"
        places = range(0, count, batch_size)
        super().__init__(lambda rng: [[] for _ in places], name, seed, rank, ranks)

    def batch(self, epoch: int, number: int) -> list[int]:
        step = self.step(epoch, number)
        start, end = self.quotas.taken(step), self.quotas.taken(step + 1)
        return [
            item
            for name, passes in self.passes.items()
            for item in passes.read(start[name], end[name])
        ]

    def others(
        self, epoch: int, number: int, rows: Sequence[int], attempt: int
    ) -> tuple[list[int], list[int]]:
        """Others of the same source, so that the batch keeps its shares."""
        batch, mine = self.batch(epoch, number), self.share_of(epoch, number)
        chosen: dict[int, int] = {}
        for name in {self.source_of[mine[row]]: None for row in rows}:
            peers = [item for item in batch if self.source_of[item] == name]
            left = [item for item in self.items[name] if item not in peers]
            rng = random.Random(f"{self.seed}/{epoch}/{number}/others of {name}")
            fresh = rng.sample(left, len(left))[(attempt - 1) * len(peers) :]
            # Each place in the batch has its own, whichever rank it is on.
            chosen |= {
                row: fresh[peers.index(mine[row])]
                for row in rows
                if mine[row] in peers[: len(fresh)]
            }
        return (kept := [row for row in rows if row in chosen]), [chosen[row] for row in kept]
