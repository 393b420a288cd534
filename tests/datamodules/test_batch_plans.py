import random

import pytest

from reasonrft.datamodules.batch_plans import (
    batches_within,
    of_similar_length,
    of_similar_size,
    shard_evenly,
    shuffled,
)

LENGTHS = random.Random("lengths").choices(range(5, 101), k=1000)


def flat(batches: list[list[int]]) -> list[int]:
    return [item for batch in batches for item in batch]


def plans(seed: int) -> list[list[list[int]]]:
    return [
        shuffled(1000, 16, random.Random(seed)),
        of_similar_length(LENGTHS, 16, random.Random(seed)),
        of_similar_size(LENGTHS, 500, random.Random(seed)),
    ]


@pytest.mark.parametrize("number", range(3))
def test_every_epoch_reads_everything_once_in_equally_many_batches(number):
    epochs = [plans(seed)[number] for seed in range(5)]
    assert all(sorted(flat(epoch)) == list(range(1000)) for epoch in epochs)
    assert len({len(epoch) for epoch in epochs}) == 1
    assert epochs[0] != epochs[1]
    assert epochs[0] == plans(0)[number]


def test_batches_of_similar_length_need_little_padding():
    def padding(batches):
        padded = sum(max(LENGTHS[item] for item in batch) * len(batch) for batch in batches)
        return padded / sum(LENGTHS) - 1

    anyhow, alike = (plans(0)[number] for number in (0, 1))
    assert padding(alike) < 0.05 < 0.5 < padding(anyhow)
    assert max(map(len, alike)) == 16


@pytest.mark.parametrize("budget", [100, 150, 200, 500, 5000, 10**6])
def test_no_batch_is_over_its_budget_of_tokens(budget):
    for seed in range(20):
        batches = of_similar_size(LENGTHS, budget, random.Random(seed))
        assert all(sum(LENGTHS[item] for item in batch) <= budget for batch in batches)
        assert all(batches)


def test_how_many_batches_a_budget_takes():
    # 6 of 10 tokens, 30 at a time: none fuller than the mean and one more, 60 / (30 - 10) = 3.
    assert batches_within([10] * 6, 30) == 3
    assert batches_within([10] * 6, 60) == 1
    assert batches_within([10] * 6, 10) == 6


@pytest.mark.parametrize("count", [1, 5, 63, 64, 65])
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_ranks_share_a_test_split_without_repeating_a_problem(count, ranks):
    shares = [shard_evenly(count, 8, rank, ranks) for rank in range(ranks)]
    repeated = [count - 1] * (ranks - count)  # by ranks that would have none
    assert sorted(flat([flat(share) for share in shares])) == sorted([*range(count), *repeated])
    assert all(len(batch) <= 8 for share in shares for batch in share)
    if count > ranks:
        assert len({len(share) for share in shares}) == 1
