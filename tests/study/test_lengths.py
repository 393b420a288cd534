import pytest

from reasonrft.errors import BadInput
from reasonrft.study.cells import Cell, cells_of
from reasonrft.study.lengths import count, length_of
from reasonrft.study.recipes import Stage, stages
from reasonrft.study.run_settings import Settings, settings_of
from tests.study.studies import study

SFT, GRPO = Settings(10, 4), Settings(30, 2, group_size=4)
LENGTHS = {
    ("counting", "cot-sft"): SFT,
    ("counting", "cot-sft-compute"): SFT,
    ("counting", "stage-1"): Settings(3, 4),
    ("counting", "rft"): GRPO,
}


def test_matched_compute_is_as_many_steps_as_cost_what_rft_has_cost():
    cells = [cell for cell in cells_of(study()) if cell.task == "counting" and cell.seed == 1]
    by_row = {cell.row: cell for cell in cells}
    matched, fit = by_row["cot-sft-compute"], Stage("fit", "cot-sft-compute", 100)
    with pytest.raises(BadInput, match="rft seed 1 and counting cot-sft seed 1 say nothing of"):
        length_of(matched, fit, LENGTHS, cells)
    by_row["rft"].compute = {"tokens": 900.0}
    by_row["cot-sft"].compute, by_row["cot-sft"].steps = {"tokens": 200.0}, 10
    # A step costs 20 tokens.
    settings = length_of(matched, fit, LENGTHS, cells)
    assert settings is not None and settings.steps == 45 and settings.batch_size == 4


def test_shares_are_trained_as_long_and_tests_are_not():
    part = Cell("counting", "cot-sft", 0, 0.25)
    assert length_of(part, Stage("fit", "cot-sft", 25), LENGTHS, []) == SFT
    assert length_of(part, Stage("test", "cot-sft"), LENGTHS, []) is None


def test_both_stages_of_rft_are_counted():
    given, cell = study(), Cell("counting", "rft", 0)
    first, second, _ = stages(given, cell)
    count(given, cell, first, LENGTHS["counting", "stage-1"], LENGTHS)
    # 3 batches of 4 of the 20 problems with chains.
    assert (cell.steps, cell.samples) == (3, 12)
    count(given, cell, second, GRPO, LENGTHS)
    # 30 batches of 2 of the other 80.
    assert (cell.steps, cell.samples) == (33, 72)


def test_settings_are_those_of_a_complete_configuration():
    module = {"init_args": {"group_size": 8, "updates": 2, "beta": 0.04}}
    data = {"batch_size": 4, "target": "cot"}
    # 50 problems are 13 batches of 4, each of two updates.
    found = settings_of({"max_steps": -1, "max_epochs": 3}, module, data, 50)
    assert found == Settings(78, 4, updates=2, group_size=8, beta=0.04)
    assert found.batches == 39 and found.seen(50) == 50 and found.seen(500) == 156
    found = settings_of({"max_steps": 20, "max_epochs": 3, "devices": 2}, module, data, 50)
    assert (found.steps, found.batch_size) == (20, 8)
    sft = {"init_args": {}}
    trainer = {"max_epochs": 1, "accumulate_grad_batches": 3}
    # 13 batches are 5 steps, the last of one batch.
    assert settings_of(trainer, sft, data | {"target": "answer"}, 50) == Settings(
        5, 4, 3, answers=True
    )
    with pytest.raises(BadInput, match=r"set trainer\.max_steps or max_epochs"):
        settings_of({"max_steps": -1, "max_epochs": -1}, module, data, 50)
