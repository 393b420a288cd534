import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from reasonrft.datamodules import (
    DistilledProblems,
    DrawnProblems,
    MixedProblems,
    StoredProblems,
)
from reasonrft.errors import BadInput
from reasonrft.worlds import make_world
from tests.datamodules.reading import MadeUp, made_up


def drawn(folder, **options) -> DrawnProblems:
    sizes = {"train": 3, "val": 2, "test": 1} | options
    return DrawnProblems("counting", "tiny", folder=str(folder), workers=1, **sizes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    drawn(folder).prepare(["train", "id"])
    return folder


def test_drawn_problems_are_the_worlds(folder):
    source = drawn(folder)
    assert source.splits == ("train", "val", "id", "ood-domain", "ood-operation")
    problems, world = source.problems("train"), make_world("counting", "tiny")
    assert len(problems) == 3
    for index, problem in enumerate(problems):
        expected = world.problem("train", index)
        assert (problem.question, problem.cot) == (expected.question, expected.cot)
        assert problem.images[0].read_bytes() == expected.images[0]


def test_only_what_is_asked_for_is_drawn_and_only_once(folder):
    files = {path: path.stat().st_mtime_ns for path in folder.rglob("*.*")}
    assert not [path for path in files if "ood" in path.name or "val" in path.name]
    drawn(folder).prepare(["train", "id"])
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.*")} == files


def test_every_setting_has_a_folder_of_its_own(folder):
    settings = ({}, {"seed": 1}, {"world_args": {"objects": [3, 4]}}, {"train": 4}, {"test": 0})
    sources = [drawn(folder, **one) for one in settings]
    homes = {source._file("train", None, source.sizes["train"]) for source in sources}
    assert len(homes) == 4
    assert sources[-1].splits == ("train", "val")


def test_levels_share_the_problems(tmp_path):
    source = drawn(tmp_path, levels=[1, 2], val=0)
    source.prepare(["train", "id"])
    problems = source.problems("train")
    assert [problem.meta["level"] for problem in problems] == [1, 2, 2]
    assert len({problem.id for problem in problems}) == 3
    assert [problem.meta["level"] for problem in source.problems("id")] == [2]
    assert source.at_hand("train") and not source.at_hand("ood-domain")
    first = make_world("counting", "tiny", level=1).problem("train", 0)
    assert (problems[0].question, problems[0].answer) == (first.question, first.answer)


def test_levels_must_differ(tmp_path):
    with pytest.raises(BadInput, match=r"levels must differ from each other, and are \[1, 1\]"):
        drawn(tmp_path, levels=[1, 1])


def test_two_runs_may_want_the_same_problems_at_once(tmp_path):
    runs = [drawn(tmp_path, train=8) for _ in range(2)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda run: run.prepare(["train"]), runs))
    assert len(runs[0].problems("train")) == 8


def test_stored_problems_are_read_as_of_the_task_asked_for(tmp_path):
    rows = [{"id": "a", "problem": "How many?", "answer": "3", "split": "b"}]
    rows += [{"id": "c", "problem": "How many?", "answer": "4", "split": "d"}]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows))
    source = StoredProblems(str(path), tests={"ood": str(path)}, select={"ood": "d"})
    assert source.splits == ("train", "ood")
    assert [one.task for one in source.problems("train", "counting")] == ["counting"] * 2
    assert [one.id for one in source.problems("ood")] == ["c"]


def test_stored_problems_need_a_file():
    with pytest.raises(BadInput, match="needs train, val or tests"):
        StoredProblems()
    with pytest.raises(BadInput, match="select names test; there are only train"):
        StoredProblems("a.json", select={"test": "x"})


def test_mixed_problems_are_learned_together_and_tested_apart(folder, tmp_path):
    path = tmp_path / "own.json"
    path.write_text(json.dumps([{"problem": "How many?", "answer": "3"}]))
    own = StoredProblems(str(path), tests={"odd": str(path)})
    mixed = MixedProblems({"world": drawn(folder), "own": own})
    assert mixed.splits[:2] == ("train", "val")
    assert mixed.splits[2:] == ("world-id", "world-ood-domain", "world-ood-operation", "own-odd")
    mixed.prepare(["train", "own-odd"])
    assert len(mixed.problems("train")) == 4
    assert len(mixed.problems("own-odd")) == 1


@pytest.mark.parametrize(("name", "least"), [("train", 0), ("val", 0), ("test", 0), ("workers", 1)])
def test_sizes_out_of_range_are_one_sentence(tmp_path, name, least):
    with pytest.raises(BadInput, match=f"^{name} must be at least {least}, not {least - 1}$"):
        DrawnProblems("counting", "tiny", folder=str(tmp_path), **{name: least - 1})


def chains(folder, count: int = 5):
    """Two chains of each of some problems."""
    rows = [
        {
            "id": f"p{number}#0.{sample}",
            "question": "How many?",
            "answer": str(number),
            "cot": "I count.",
            "distilled": {"problem": f"p{number}", "sample": sample},
        }
        for number in range(count)
        for sample in (0, 1)
    ]
    file = folder / "chains.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


def test_of_a_problem_all_chains_are_held_out_or_none(tmp_path):
    source = StoredProblems(train=chains(tmp_path), hold_out=0.4)
    train, val = (source.problems(split) for split in ("train", "val"))
    assert (len(train), len(val)) == (6, 4)
    assert {problem.origin for problem in train}.isdisjoint(problem.origin for problem in val)


def test_distilled_problems_have_the_other_splits_of_their_source(tmp_path):
    given = MadeUp([made_up(1)], val=[made_up(2)], id=[made_up(3)])
    source = DistilledProblems(given, chains(tmp_path, 1))
    assert source.splits == ("train", "val", "id")
    assert [problem.id for problem in source.problems("train")] == ["p0#0.0", "p0#0.1"]
    assert [problem.id for problem in source.problems("val")] == ["p2"]
    without = DistilledProblems(MadeUp([made_up(1)]), chains(tmp_path, 1))
    assert without.splits == ("train",)
