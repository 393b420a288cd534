import random
from functools import partial

import pytest
import torch

from reasonrft.datamodules.batch_plans import (
    of_similar_length,
    of_similar_size,
    share_of_examples,
    share_of_tokens,
    shuffled,
)
from reasonrft.datamodules.sampler import BatchSampler, ResumableLoader
from reasonrft.errors import BadInput

LENGTHS = random.Random("lengths").choices(range(5, 101), k=50)


def order(rank: int = 0, ranks: int = 1, seed: int = 0, batch_size: int = 4) -> BatchSampler:
    return BatchSampler(
        partial(shuffled, 50, batch_size), f"50 in {batch_size}s", seed, rank, ranks
    )


def loader(place: BatchSampler, workers: int = 0) -> ResumableLoader:
    return ResumableLoader(list(range(50)), place, list, workers)


def read(source: ResumableLoader, epoch: int, count: int | None = None) -> list[list[int]]:
    source.order.set_epoch(epoch)
    batches = iter(source)
    return list(batches) if count is None else [next(batches) for _ in range(count)]


def test_an_order_depends_on_seed_and_epoch_alone():
    torch.manual_seed(1)
    first = read(loader(order()), 3)
    torch.manual_seed(2)
    again = loader(order())
    read(again, 0)
    assert read(again, 3) == first
    assert read(loader(order(seed=1)), 3) != first
    assert read(loader(order()), 4) != first


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("at", [0, 1, 7, 12])
def test_a_loader_goes_on_where_another_was_left(at, workers):
    whole = read(loader(order()), 2)
    left = loader(order(), workers)
    assert read(left, 2, at) == whole[:at]
    resumed = loader(order(), workers)
    resumed.load_state_dict(left.state_dict())
    assert resumed.state_dict() == left.state_dict()
    assert read(resumed, 2) == whole[at:]
    assert read(resumed, 3) == read(loader(order()), 3)
    assert len(resumed) == 13


@pytest.mark.parametrize("workers", [0, 1])
def test_a_batch_that_was_peeked_at_is_read_next_and_counted_then(workers):
    whole, following = read(loader(order()), 2), read(loader(order()), 3)
    peeked = loader(order(), workers)
    peeked.order.set_epoch(2)
    for at, batch in enumerate(peeked):
        assert batch == whole[at]
        for _ in range(2):
            assert peeked.peek() == [*whole, following[0]][at + 1]
        assert peeked.peek(ends_epoch=True) == following[0]
        assert peeked.state_dict()["seen"] == at + 1
    assert read(peeked, 3) == following


def test_a_checkpoint_from_the_end_of_an_epoch_starts_the_next():
    left = loader(order())
    read(left, 2)
    resumed = loader(order())
    resumed.load_state_dict(left.state_dict())
    assert read(resumed, 3) == read(loader(order()), 3)


def test_other_data_in_the_middle_of_an_epoch_is_refused():
    left = loader(order())
    read(left, 0, 5)
    with pytest.raises(BadInput, match=r"in the middle of 50 in 4s, seed 0.* reads 50 in 5s"):
        loader(order(batch_size=5)).load_state_dict(left.state_dict())
    read(left, 0)
    loader(order(batch_size=5)).load_state_dict(left.state_dict())


PLANS = {
    "shuffled": (partial(shuffled, 50, 12), share_of_examples),
    "of similar length": (partial(of_similar_length, LENGTHS, 12), share_of_examples),
    "of similar size": (partial(of_similar_size, LENGTHS, 600), partial(share_of_tokens, LENGTHS)),
}


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_ranks_share_the_batches_of_one(name, ranks):
    plan, share = PLANS[name]
    whole = read(loader(BatchSampler(plan, name)), 3)
    orders = [BatchSampler(plan, name, 0, rank, ranks, share) for rank in range(ranks)]
    shares = [read(loader(one), 3) for one in orders]
    assert {len(one) for one in (*orders, *shares)} == {len(whole)}
    for batch, *parts in zip(whole, *shares, strict=True):
        assert sorted(item for part in parts for item in part) == sorted(batch)
        assert all(part == [item for item in batch if item in part] for part in parts)


def test_a_rank_may_have_nothing_of_the_last_batch():
    last = [loader(order(rank, 3, batch_size=7)) for rank in range(3)]  # 50 are 7 x 7 and 1
    assert [len(read(one, 0)[-1]) for one in last] == [1, 0, 0]


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_shares_of_tokens_are_even(ranks):
    for batch in of_similar_size(LENGTHS, 600, random.Random(1)):
        shares = [share_of_tokens(LENGTHS, batch, rank, ranks) for rank in range(ranks)]
        tokens = [sum(LENGTHS[item] for item in share) for share in shares]
        assert max(tokens) < sum(tokens) / ranks + max(LENGTHS)


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (2, 4)])
@pytest.mark.parametrize("at", [3, 13])
def test_another_number_of_ranks_goes_on_with_the_same_data(before, after, at):
    whole = read(loader(order()), 2)
    left = [loader(order(rank, before)) for rank in range(before)]
    for one in left:
        read(one, 2, at)
    states = [one.state_dict() for one in left]
    assert all(state == states[0] for state in states)
    rest = []
    for rank in range(after):
        resumed = loader(order(rank, after))
        resumed.load_state_dict(states[0])
        rest.append(read(resumed, 2))
    together = [
        sorted(item for part in parts for item in part) for parts in zip(*rest, strict=True)
    ]
    assert together == [sorted(batch) for batch in whole[at:]]


def test_another_order_goes_on_as_far_into_the_epoch_if_told_to():
    left = loader(order())
    read(left, 2, 6)  # of 13
    resumed = loader(order(batch_size=2))
    resumed.load_state_dict(left.state_dict() | {"order": None})
    assert read(resumed, 2) == read(loader(order(batch_size=2)), 2)[11:]  # 25 * 6 / 13 = 11.5


def complain(problems: list[int]) -> list[int] | BadInput:
    return BadInput("problem 7: no such file") if 7 in problems else problems


@pytest.mark.parametrize("workers", [0, 1])
def test_bad_input_in_a_worker_arrives_as_it_was_said(workers):
    source = ResumableLoader(list(range(50)), order(), complain, workers)
    with pytest.raises(BadInput) as raised:
        list(source)
    assert str(raised.value) == "problem 7: no such file"
