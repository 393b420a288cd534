"""Which examples form the batches of an epoch: pure functions of seed and epoch.

Each gives the same number of batches in every epoch, which Lightning counts on.
"""

import heapq
import math
import random
from collections.abc import Callable, Sequence
from itertools import pairwise

WINDOW = 64
"""Batches that are sorted by length together: the more, the less padding and the less chance."""

Batches = list[list[int]]
Share = Callable[[list[int], int, int], list[int]]
"""What of a batch a rank reads, of how many ranks: each example is in one of their shares."""


def shuffled(count: int, batch_size: int, rng: random.Random) -> Batches:
    """Batches of any examples; the last one may be smaller."""
    order = rng.sample(range(count), count)
    return [order[at : at + batch_size] for at in range(0, count, batch_size)]


def of_similar_length(lengths: Sequence[int], batch_size: int, rng: random.Random) -> Batches:
    """Batches of examples whose lengths are close, in random order."""
    order = rng.sample(range(len(lengths)), len(lengths))
    window = WINDOW * batch_size
    batches: Batches = []
    for start in range(0, len(order), window):
        near = sorted(order[start : start + window], key=lambda item: lengths[item])
        batches += [near[at : at + batch_size] for at in range(0, len(near), batch_size)]
    rng.shuffle(batches)
    return batches


def of_similar_size(lengths: Sequence[int], budget: int, rng: random.Random) -> Batches:
    """Batches of nearly as many tokens each, none of more than the budget.

    The next example goes to the emptiest batch. Then no batch holds more than the mean and the
    longest example together, from which follows how many batches it takes, whatever the order.
    """
    heap = [(0, number) for number in range(batches_within(lengths, budget))]
    batches: Batches = [[] for _ in heap]
    for item in rng.sample(range(len(lengths)), len(lengths)):
        tokens, number = heapq.heappop(heap)
        batches[number].append(item)
        heapq.heappush(heap, (tokens + lengths[item], number))
    rng.shuffle(batches)
    return batches


def batches_within(lengths: Sequence[int], budget: int) -> int:
    """How many batches keep to the budget in every order; an example of more than it is alone."""
    total, room = sum(lengths), budget - max(lengths)
    if budget >= total:
        return 1
    return min(len(lengths), math.ceil(total / room)) if room > 0 else len(lengths)


def share_of_examples(batch: list[int], rank: int, ranks: int) -> list[int]:
    """As many examples for each rank, give or take one; short and long ones in turn."""
    return batch[rank::ranks]


def share_of_tokens(lengths: Sequence[int], batch: list[int], rank: int, ranks: int) -> list[int]:
    """Nearly as many tokens for each rank: at most their mean and the longest example together.

    The longest that is left goes to the rank that has the fewest.
    """
    loads, owners = [(0, number) for number in range(ranks)], {}
    for item in sorted(batch, key=lambda item: -lengths[item]):
        tokens, owners[item] = heapq.heappop(loads)
        heapq.heappush(loads, (tokens + lengths[item], owners[item]))
    return [item for item in batch if owners[item] == rank]


def shard_evenly(count: int, batch_size: int, rank: int = 0, ranks: int = 1) -> Batches:
    """One rank's part of a split that every problem of is answered once, by one rank.

    Where problems are fewer than ranks, those without one answer the last one too: a rank that had
    nothing to do would not come where the others wait for it. Each problem is counted once.
    """
    mine = range(rank, count, ranks) or range(count)[-1:]
    wanted = math.ceil(math.ceil(count / ranks) / batch_size)
    edges = [len(mine) * number // wanted for number in range(wanted + 1)]
    return [list(mine[start:end]) for start, end in pairwise(edges) if end > start]
