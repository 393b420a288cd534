import random
from functools import partial

import pytest
import torch

from reasonrft.datamodules.batch_plans import of_similar_size, shuffled
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


def test_ranks_read_equally_many_batches_of_their_own():
    plan = partial(of_similar_size, LENGTHS, 300)
    orders = [BatchSampler(plan, "", 0, rank, 3) for rank in range(3)]
    read = [item for one in orders for batch in one for item in batch]
    assert len(set(map(len, orders))) == 1
    assert len(set(read)) == len(read)
    assert len(orders[0]) * 3 <= len(plan(random.Random(0))) < len(orders[0]) * 3 + 3


def complain(problems: list[int]) -> list[int] | BadInput:
    return BadInput("problem 7: no such file") if 7 in problems else problems


@pytest.mark.parametrize("workers", [0, 1])
def test_bad_input_in_a_worker_arrives_as_it_was_said(workers):
    source = ResumableLoader(list(range(50)), order(), complain, workers)
    with pytest.raises(BadInput) as raised:
        list(source)
    assert str(raised.value) == "problem 7: no such file"
