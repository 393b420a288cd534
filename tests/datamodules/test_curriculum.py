import json
import random
from typing import Any

import pytest

from reasonrft.datamodules import Curriculum, StoredProblems
from reasonrft.datamodules.curriculum import (
    CurriculumSampler,
    LevelLog,
    items_by_level,
    level_of,
    note_groups,
)
from reasonrft.datamodules.sampler import ResumableLoader
from reasonrft.errors import BadInput
from reasonrft.policy import Policy
from tests.datamodules.reading import MadeUp, made_up, read

pytestmark = pytest.mark.filterwarnings("ignore")

ITEMS = {1: list(range(20)), 2: list(range(20, 35)), 5: list(range(35, 50))}
"""Items of three levels; an epoch has 13 batches of four."""
ALWAYS_RIGHT, NEVER = 1.0, 0.0


def log(**options: Any) -> LevelLog:
    return LevelLog(Curriculum(**{"window": 4, **options}), [*ITEMS])


def sampler(levels: LevelLog, rank: int = 0, ranks: int = 1) -> CurriculumSampler:
    return CurriculumSampler(ITEMS, levels, 4, 0, rank, ranks)


def level(item: int) -> int:
    return next(own for own, items in ITEMS.items() if item in items)


def test_a_level_opens_when_the_window_is_full_and_right_enough():
    levels = log(threshold=0.75)
    levels.note(0, [(1, 1.0), (1, 0.5)])
    levels.note(1, [(1, 0.5)])
    assert levels.opened == [0]  # three groups fill no window of four
    levels.note(2, [(1, 0.9)])  # (1 + 0.5 + 0.5 + 0.9) / 4 = 0.725
    assert levels.opened == [0]
    levels.note(3, [(1, 1.0), (1, 0.6)])  # (0.5 + 0.9 + 1 + 0.6) / 4 = 0.75
    assert levels.opened == [0, 4]
    # It governs what comes after, and its window is its own: easier groups do not count.
    assert [levels.newest(step) for step in (3, 4)] == [0, 1]
    levels.note(4, [(1, 1.0)] * 9 + [(2, 0.8)] * 3)
    assert (levels.opened, levels.window(4)) == ([0, 4], [0.8] * 3)
    levels.note(5, [(2, 0.8)])
    levels.note(6, [(5, 1.0)] * 4)
    assert levels.opened == [0, 4, 6]  # the last one; there is no other to open


def test_a_step_that_is_done_again_finds_what_it_found():
    levels, rng = log(threshold=0.5), random.Random(0)
    steps = [[(own, rng.random()) for own in (1, 2, 5, 1, 2)] for _ in range(12)]
    states = []
    for step, groups in enumerate(steps):
        levels.note(step, groups)
        states.append(levels.state_dict())
    assert len(levels.opened) == 3
    for step in range(12):
        # A fault ends the run within a step, and saves what was before it, but this.
        resumed = log(threshold=0.5)
        resumed.load_state_dict(json.loads(json.dumps(states[step])))
        for again in range(step, 12):
            resumed.note(again, steps[again])
            assert resumed.state_dict() == states[again]


def test_a_level_stays_open_where_batches_become_larger():
    levels = log()
    levels.load_state_dict({"opened": [0, 60], "rates": [[75, 0.5]], "epoch": 25})
    sampler(levels)  # of 13 batches in an epoch: three and 1 / 25 of it are step 39
    assert (levels.opened, levels.rates) == ([0, 31], [(39, 0.5)])
    sampler(levels)
    assert levels.state_dict() == {"opened": [0, 31], "rates": [[39, 0.5]], "epoch": 13}


def test_batches_are_of_the_newest_level_and_a_share_of_easier_ones():
    levels = log(keep=0.3)
    order = sampler(levels)
    first = [order.batch(0, number) for number in range(10)]
    assert sorted(item for batch in first[:5] for item in batch) == ITEMS[1]
    assert first[:5] != first[5:]  # another pass has another order
    levels.opened = [0, 10, 23]
    assert [order.batch(0, number) for number in range(10)] == first
    later = [order.batch(*divmod(step, 13)) for step in range(23, 63)]
    shares = [level(item) == 5 for batch in later for item in batch]
    # 40 batches of four: 48 easier ones; a few come twice in a batch, and are left out.
    assert sum(map(len, later)) >= 150 and abs(sum(shares) / len(shares) - 0.7) < 0.02
    assert {item for batch in later for item in batch} >= {*range(50)} - {*range(3)}
    assert all(len({*batch}) == len(batch) for batch in later)
    halves = [sampler(levels, rank, 2).share_of(1, 12) for rank in (0, 1)]
    assert sorted(halves[0] + halves[1]) == sorted(order.batch(1, 12))


def test_other_prompts_are_of_open_levels_and_none_comes_twice():
    levels = log(keep=0.5)
    levels.opened = [0, 10]
    order = sampler(levels)
    batch = order.batch(0, 11)
    candidates = order.candidates(0, 11)
    # Two and two of each four, until the harder ones are all in.
    assert [level(item) for item in candidates[:8]] == [2, 1] * 4
    assert sorted([*batch, *candidates]) == ITEMS[1] + ITEMS[2]
    assert order.candidates(0, 12) != candidates
    ranks = [sampler(levels, rank, 2) for rank in (0, 1)]
    taken = {
        item
        for attempt in (1, 2)
        for own in ranks
        for item in own.others(0, 11, [0, 1], attempt)[1]
    }
    assert taken == {*candidates[:8]}
    # Row 1 of the second of two ranks is row 3 of all.
    assert order.others(0, 11, [3], 2) == ([3], [candidates[7]])
    assert ranks[1].others(0, 11, [1], 2) == ([1], [candidates[7]])
    rows = order.others(0, 11, [0, 1, 2, 3], 8)[0]
    assert rows == [0, 1, 2]  # 35 problems less the batch, and less seven attempts of four
    assert order.others(0, 11, [0, 1, 2, 3], 9) == ([], [])


@pytest.mark.parametrize("workers", [0, 2])
def test_no_batch_that_workers_have_read_ahead_is_of_a_level_before(workers):
    levels = log()
    loader = ResumableLoader(list(range(50)), sampler(levels), list, workers)
    expected, batches = log(), []
    for step, batch in enumerate(loader):
        batches.append(batch)
        rate = ALWAYS_RIGHT if step in (3, 7) else NEVER
        own = levels.levels[levels.newest(step)]
        for one in (levels, expected):
            one.note(step, [(own, rate)] * 4)
        if step == 9:
            assert loader.peek() == sampler(expected).batch(0, 10)
    assert levels.opened == [0, 4, 8]
    assert batches == [sampler(expected).batch(0, number) for number in range(13)]
    assert {level(item) for item in batches[3] + batches[4]} == {1, 2}
    assert 5 in {level(item) for item in batches[8]}
    resumed = ResumableLoader(list(range(50)), sampler(levels), list, workers)
    resumed.load_state_dict({"epoch": 0, "seen": 8, "of": 13, "order": loader.order.name})
    assert list(resumed) == batches[8:]


def test_an_opened_level_is_said_and_logged(caplog):
    levels, problems = log(), [made_up(n, meta={"level": 1 + n // 3}) for n in range(6)]
    rates = [0.75, 1.0, 1.0, 0.5, 0.25, 0.0]
    with caplog.at_level("INFO"):
        metrics = note_groups(levels, 0, list(zip(problems, rates, strict=True)))
        # 11 / 12 of the first level; of the second it is (0.5 + 0.25) / 3.
        assert metrics == {
            "level": 1,
            "pass_rate": pytest.approx(11 / 12),
            "pass_rate/level_1": pytest.approx(11 / 12),
            "pass_rate/level_2": 0.25,
        }
        assert note_groups(levels, 1, [(problems[1], 1.0)])["level"] == 1
    # What another library says meanwhile does not matter.
    said = [message for message in caplog.messages if "level" in message]
    assert said == ["level 2 opens: 94% of the last 4 groups of level 1 were right"]
    assert note_groups(levels, 2, [(problems[0], 0.5)]) == {"level": 2, "pass_rate/level_1": 0.5}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"threshold": 0.0}, "threshold is a share, above 0 and at most 1, not 0.0"),
        ({"threshold": float("nan")}, "threshold is a share"),
        ({"window": 0}, "window must be at least 1, not 0"),
        ({"keep": 1.0}, "keep is a share, at least 0 and below 1, not 1.0"),
        ({"keep": -0.1}, "keep is a share"),
    ],
)
def test_settings_out_of_range_are_refused(options, sentence):
    with pytest.raises(BadInput, match=sentence):
        Curriculum(**options)


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_a_level_in_a_users_own_records_is_kept(suffix, tmp_path):
    file = tmp_path / f"own.{suffix}"
    rows = [(f"p{n}", "How many?", str(n), n % 3) for n in range(6)]
    names = ("id", "question", "answer", "level")
    if suffix == "csv":
        file.write_text("\n".join(",".join(map(str, row)) for row in [names, *rows]))
    else:
        file.write_text("\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in rows))
    problems = StoredProblems(str(file), hold_out=0.0).problems("train")
    assert items_by_level(problems) == {0: [0, 3], 1: [1, 4], 2: [2, 5]}


@pytest.mark.parametrize("given", [None, "hard", 1.5, True])
def test_a_level_is_a_whole_number(given):
    meta = {} if given is None else {"level": given}
    with pytest.raises(BadInput, match=r"problem 'p1'.*whole numbers as levels, and its .*level"):
        level_of(made_up(1, meta=meta))


def test_what_cannot_follow_a_curriculum_is_refused(family_folder):
    encoder = Policy(str(family_folder("qwen3-vl"))).encoder
    source = MadeUp([made_up(n, meta={"level": 3}) for n in range(4)])
    with pytest.raises(BadInput, match="share of right completions, and Reader does not report"):
        read(encoder, source, curriculum=Curriculum())
    with pytest.raises(BadInput, match="leave batch_tokens out"):
        read(encoder, source, curriculum=Curriculum(), batch_tokens=9999)
    with pytest.raises(BadInput, match="all 4 problems of split train have level 3"):
        items_by_level(source.problems("train"))
