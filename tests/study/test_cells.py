from dataclasses import asdict

import pytest

from reasonrft.errors import BadInput
from reasonrft.study.cells import (
    Cell,
    cells_of,
    check_config,
    needed,
    read_cell,
    write_study,
)
from reasonrft.study.study_config import Expected
from tests.study.studies import study


def test_a_seeds_whole_table_comes_before_the_next_and_shares_come_last():
    names = [f"{cell.seed} {cell.task[0]} {cell.row}" for cell in cells_of(study())]
    of_task = ["cot-sft", "rft", "cot-sft-compute"]
    first = [f"0 {task} {row}" for task in "cs" for row in ["zero-shot", *of_task]]
    second = [f"1 {task} {row}" for task in "cs" for row in of_task]
    shares = [
        f"{seed} {task} {row}-1-of-4"
        for seed in (0, 1)
        for task in "cs"
        for row in ("cot-sft", "rft")
    ]
    assert names == first + second + shares


def test_what_is_matched_needs_rft_and_its_own_paradigm_with_its_seed():
    cells = cells_of(study())
    cell = next(c for c in cells if c.paradigm == "cot-sft-compute" and c.seed == 1)
    assert [c.folder for c in needed(cell, cells)] == [
        "cells/counting/rft/seed-1",
        "cells/counting/cot-sft/seed-1",
    ]
    assert needed(cells[0], cells) == []


def test_a_cell_is_read_as_it_was_written_but_does_not_run(tmp_path):
    cell = Cell("counting", "rft", 2, 0.25, "running", [["fit"]], {"stage-1": 3.0}, samples=5)
    cell.write(tmp_path)
    read = read_cell(Cell("counting", "rft", 2, 0.25), tmp_path)
    assert read.state == "waiting"
    read.state = "running"
    assert read == cell and read.folder == "cells/counting/rft-1-of-4/seed-2"
    done = Cell("counting", "rft", 1, state="done")
    done.write(tmp_path)
    assert read_cell(Cell("counting", "rft", 1), tmp_path).state == "done"


def test_a_file_that_is_no_cell_is_named(tmp_path):
    cell = Cell("counting", "rft", 0)
    path = tmp_path / cell.folder / "cell.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"task": "counting", "colour": 3}')
    with pytest.raises(BadInput, match=r"cell\.json is not a cell of a study: delete its folder"):
        read_cell(cell, tmp_path)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"seeds": [0, 1, 2]}, None),
        ({"shares": ["1/4", "1/16"], "expected": Expected(prompt=9)}, None),
        ({"tasks": {"counting": {}, "structure": {}, "transformation": {"a": 1}}}, None),
        ({"seeds": [1]}, "seeds"),
        ({"tasks": {"counting": {"a": 1}, "structure": {}}}, "tasks"),
        ({"problems": 99}, "problems"),
        ({"options": {"a": 1}}, "options"),
    ],
)
def test_additions_go_with_the_cells_that_are_there_and_changes_do_not(tmp_path, changes, key):
    write_study(tmp_path, "small", asdict(study()), "2 cores", [])
    if key is None:
        check_config(tmp_path, asdict(study(**changes)))
    else:
        with pytest.raises(BadInput, match=f"cells of another study, for {key} has changed"):
            check_config(tmp_path, asdict(study(**changes)))


def test_a_folder_that_holds_no_study_is_refused(tmp_path):
    check_config(tmp_path, {})
    (tmp_path / "study.json").write_text("[]")
    with pytest.raises(BadInput, match=r"study\.json is not a study: delete its folder"):
        check_config(tmp_path, {})
