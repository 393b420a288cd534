import random
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction

import pytest

from reasonrft.datamodules import Curriculum, GeneralDataModule, MixedProblems
from reasonrft.datamodules.mixture import MixtureSampler, Passes, Quotas
from reasonrft.datamodules.sampler import ResumableLoader
from reasonrft.errors import BadInput
from reasonrft.policy import Policy
from reasonrft.tasks import find_task
from tests.datamodules.reading import MadeUp, Reader, made_up, quiet, read
from tests.policy.problems import image

pytestmark = pytest.mark.filterwarnings("ignore")

ITEMS = {"a": list(range(20)), "b": list(range(20, 33)), "c": list(range(33, 40))}
WEIGHTS = {"a": 2.0, "b": 1.0, "c": 0.5}
"""Of a batch of eight, 32/7, 16/7 and 8/7."""


def sampler(rank: int = 0, ranks: int = 1, seed: int = 0, batch_size: int = 8) -> MixtureSampler:
    return MixtureSampler(ITEMS, WEIGHTS, batch_size, seed, rank, ranks)


def source(item: int) -> str:
    return next(name for name, items in ITEMS.items() if item in items)


def batches(order: MixtureSampler, steps: int) -> list[list[int]]:
    return [order.batch(*divmod(step, len(order))) for step in range(steps)]


def test_quotas_by_hand():
    quotas = Quotas(WEIGHTS, 8)
    # Due are 4.57, 2.29, 1.14 | 9.14, 4.57, 2.29 | 13.71, 6.86, 3.43 | 18.29, 9.14, 4.57 | ...
    taken = [[5, 2, 1], [9, 5, 2], [14, 7, 3], [18, 9, 5], [23, 11, 6], [27, 14, 7], [32, 16, 8]]
    assert [list(quotas.taken(at + 1).values()) for at in range(7)] == taken
    assert quotas.taken(701) == {"a": 3205, "b": 1602, "c": 801}
    # Due are 1/3, 2/3 and 1: it is in the second of three batches.
    rare = Quotas({"a": 11, "b": 1}, 4)
    assert [rare.taken(at)["b"] for at in range(7)] == [0, 0, 1, 1, 1, 2, 2]


def test_shares_are_exact_to_within_one_at_any_time():
    rng = random.Random("weights")
    for _ in range(200):
        weights = {
            name: rng.choice([1, rng.randint(1, 50), rng.randint(1, 999) / 1000])
            for name in "abcdefg"[: rng.randint(1, 7)]
        }
        total = sum(Fraction(str(weight)) for weight in weights.values())
        size = rng.randint(1, 40)
        quotas, before = Quotas(weights, size), Counter(dict.fromkeys(weights, 0))
        for step in range(1, 60):
            taken = quotas.taken(step)
            assert sum(taken.values()) == step * size
            for name, weight in weights.items():
                assert abs(taken[name] - step * size * Fraction(str(weight)) / total) < 1
                assert 0 <= taken[name] - before[name] <= quotas.most(name)
            before = Counter(taken)


@pytest.mark.parametrize(("count", "apart"), [(30, 10), (31, 7), (12, 5), (5, 5)])
def test_a_source_is_used_up_before_it_begins_anew(count, apart):
    order = Passes("seed", range(count), apart).read(0, 9 * count)
    passes = [order[at : at + count] for at in range(0, len(order), count)]
    assert all(sorted(one) == [*range(count)] for one in passes)
    # Another order each time, unless a few batches use it up.
    assert len({tuple(one) for one in passes}) == (9 if count >= 3 * apart else 1)
    near = (order[at : at + apart] for at in range(len(order) - apart))
    assert all(len(set(items)) == apart for items in near)
    assert Passes("seed", range(count), apart).read(30, 40) == order[30:40]


def test_batches_hold_their_shares_and_a_source_goes_on_in_the_next_epoch():
    order = sampler()
    assert len(order) == 5
    read_batches = batches(order, 28)
    counts = [Counter(map(source, batch)) for batch in read_batches]
    assert [counts[at] for at in (0, 1, 7)] == [
        {"a": 5, "b": 2, "c": 1},
        {"a": 4, "b": 3, "c": 1},
        {"a": 5, "b": 2, "c": 1},
    ]
    assert sum(counts, Counter()) == {"a": 128, "b": 64, "c": 32}
    assert all(len(set(batch)) == 8 for batch in read_batches)
    of_b = [item for batch in read_batches for item in batch if source(item) == "b"]
    assert sorted(of_b[:13]) == sorted(of_b[13:26]) == ITEMS["b"]
    assert of_b[:13] != of_b[13:26]
    assert batches(sampler(seed=1), 28) != read_batches


@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_share_the_batches_of_one(ranks):
    orders = [sampler(rank, ranks) for rank in range(ranks)]
    for step, batch in enumerate(batches(sampler(), 12)):
        shares = [order.share_of(*divmod(step, len(order))) for order in orders]
        assert {len(share) for share in shares} == {8 // ranks}
        assert sorted(item for share in shares for item in share) == sorted(batch)


@pytest.mark.parametrize("at", [2, 5])
def test_a_loader_goes_on_with_the_same_batches(at):
    loaders = [ResumableLoader(list(range(40)), sampler(), list) for _ in range(2)]
    loaders[0].order.set_epoch(3)
    iterator = iter(loaders[0])
    for _ in range(at):
        next(iterator)
    loaders[1].load_state_dict(loaders[0].state_dict())
    whole = batches(sampler(), 25)
    for epoch, expected in ((3, whole[15 + at : 20]), (4, whole[20:])):
        loaders[1].order.set_epoch(epoch)
        # A checkpoint from the end of an epoch goes on with the next one.
        if expected:
            assert list(loaders[1]) == expected


def test_other_weights_in_the_middle_of_an_epoch_are_refused():
    left = ResumableLoader(list(range(40)), sampler(), list)
    next(iter(left))
    other = MixtureSampler(ITEMS, WEIGHTS | {"a": 3.0}, 8)
    with pytest.raises(BadInput, match=r"by weights a 2, b 1, c 0.5, .* by weights a 3, b 1, c"):
        ResumableLoader(list(range(40)), other, list).load_state_dict(left.state_dict())


def test_other_prompts_are_of_the_same_source_and_none_comes_twice():
    orders = [sampler(rank, 2) for rank in (0, 1)]
    batch = orders[0].batch(1, 2)
    taken = list(batch)
    for attempt in (1, 2, 3):
        for order in orders:
            mine = order.share_of(1, 2)
            rows, items = order.others(1, 2, [0, 1, 2, 3], attempt)
            assert [source(item) for item in items] == [source(mine[row]) for row in rows]
            taken += items
    assert len(set(taken)) == len(taken)
    # Five of twenty are in the batch, so that three attempts take all; one of seven leaves six.
    assert Counter(map(source, taken)) == Counter(
        {name: min(len(ITEMS[name]), 4 * count) for name, count in shares(batch).items()}
    )
    whole = sampler().others(1, 2, list(range(8)), 2)[1]
    parts = [order.others(1, 2, [0, 1, 2, 3], 2)[1] for order in orders]
    assert sorted(whole) == sorted(parts[0] + parts[1])


def shares(batch: list[int]) -> Mapping[str, int]:
    return Counter(map(source, batch))


def test_a_source_that_fills_no_batch_is_refused():
    told = (
        "a batch of 24 takes up to 5 problems of source 'c', which has 3 to train on: take more "
        "of them, a smaller batch_size, or a smaller weight"
    )
    with pytest.raises(BadInput, match=f"^{told}$"):
        MixtureSampler(ITEMS | {"c": [33, 34, 35]}, WEIGHTS, 24)


def mixed(**options) -> MixedProblems:
    names = {"counting": 1, "structure": 1, "transformation": 2}
    calls = "change_color(1, red)"
    return MixedProblems(
        {
            name: MadeUp(
                [
                    made_up(
                        number,
                        id=f"{name}{number}",
                        task=name,
                        images=(image((10 * number, 9, 9)),) * images,
                        answer=calls if name == "transformation" else str(number),
                    )
                    for number in range(6)
                ]
            )
            for name, images in names.items()
        },
        **options,
    )


WEIGHED = {"counting": 2.0, "structure": 1.0, "transformation": 1.0}


def test_tasks_of_one_batch_keep_their_own_prompts(family_folder):
    encoder = Policy(str(family_folder("qwen3-vl"))).encoder
    reader = Reader(encoder, "prompts")
    data = GeneralDataModule(mixed(weights=WEIGHED), batch_size=4)
    quiet(max_epochs=2).fit(reader, data)
    assert data.train_sources == tuple(WEIGHED)
    assert len(reader.batches) == 2 * 5  # 18 problems make five batches of four
    for batch in reader.batches:
        assert Counter(problem.source for problem in batch.problems) == {
            "counting": 2,
            "structure": 1,
            "transformation": 1,
        }
        for problem, text in zip(batch.problems, batch.texts, strict=True):
            assert problem.task == problem.source
            assert text == find_task(problem.task).prompt(problem)


def test_what_cannot_follow_weights_is_refused(family_folder):
    encoder = Policy(str(family_folder("qwen3-vl"))).encoder
    with pytest.raises(BadInput, match="by level and weights by source: leave one of them out"):
        read(encoder, mixed(weights=WEIGHED), curriculum=Curriculum())
    with pytest.raises(BadInput, match="weights make batches of batch_size: leave batch_tokens"):
        read(encoder, mixed(weights=WEIGHED), batch_tokens=9999)


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        (WEIGHED | {"maths": 1.0}, "weights names maths; the sources that are trained on are"),
        ({"counting": 1.0}, "weights does not name structure, transformation; give one to each"),
        (WEIGHED | {"counting": 0.0}, "weights: that of 'counting' is 0.0; those of counting, str"),
        (WEIGHED | {"counting": -1.0}, "is -1.0; .* are positive numbers"),
        (WEIGHED | {"counting": float("nan")}, "is nan; .* are positive numbers"),
        (WEIGHED | {"counting": float("inf")}, "is inf; .* are positive numbers"),
    ],
)
def test_weights_that_are_none_are_one_sentence(weights, sentence):
    with pytest.raises(BadInput, match=sentence) as raised:
        mixed(weights=weights)
    assert "counting, structure, transformation" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_weights_stand_in_one_place():
    with pytest.raises(BadInput, match="source 'all' has weights of its own: name its sources"):
        MixedProblems({"all": mixed(weights=WEIGHED)})


def test_a_problem_knows_its_source_where_there_are_several():
    assert {problem.source for problem in mixed().problems("train")} == {*WEIGHED}
    alone = MixedProblems({"one": MadeUp([made_up(1)])}, weights={"one": 3.0})
    assert (alone.problems("train")[0].source, alone.weights) == ("", {})
