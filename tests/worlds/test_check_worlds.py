"""The script that draws many problems and checks each."""

import sys

import pytest

from tests.worlds import check_worlds


@pytest.mark.parametrize("task", ["counting", "structure", "transformation"])
def test_it_prints_a_table_of_each_split(task, monkeypatch, capsys):
    options = ["--size", "2", "--task", task, "--preset", "tiny", "--processes", "1"]
    monkeypatch.setattr(sys, "argv", ["check_worlds", *options])
    with pytest.raises(SystemExit) as ended:
        check_worlds.main()
    assert not ended.value.code
    printed = capsys.readouterr().out
    assert "| id | 2 | 2 | 0 |" in printed
    assert "Shared with train or val: none." in printed


def test_splits_that_share_a_problem_are_reported():
    train, val, test = (
        check_worlds.Tally("counting", split, marks=marks)
        for split, marks in (("train", {b"a", b"b"}), ("val", {b"c"}), ("id", {b"b"}))
    )
    faults = check_worlds.collisions({"train": train, "val": val, "id": test})
    assert list(faults) == ["train and id share 1 problems"]
