import itertools
from pathlib import Path

from reasonrft.study.cells import Cell
from reasonrft.study.recipes import chosen_checkpoint, command, stages
from reasonrft.study.run_settings import Settings
from tests.study.studies import study

HOME = Path("home")


def options(cell, number, settings=None, **changes):
    given = study(**changes)
    args = command(given, cell, stages(given, cell)[number], HOME, settings)
    return dict(arg.removeprefix("--").split("=", 1) for arg in args if "=" in arg)


def test_both_stages_of_rft_share_the_problems():
    cell = Cell("counting", "rft", 3, 0.25)
    first, second = options(cell, 0), options(cell, 1)
    # A quarter of 100 problems, of which a fifth are learned with their chains.
    assert (first["data.limit"], first["data.skip"]) == ("5", "0")
    assert (second["data.limit"], second["data.skip"]) == ("20", "5")
    assert first["seed_everything"] == second["seed_everything"] == "3"
    assert second["policy"] == "home/cells/counting/rft-1-of-4/seed-3/stage-1/policy"
    # No test is looked at in training.
    assert first["trainer.limit_test_batches"] == second["trainer.limit_test_batches"] == "0"
    assert first["data.source.train"] == second["data.source.train"] == "100"


def test_others_learn_from_all_of_them():
    for paradigm in ("cot-sft", "ans-sft", "rft-zero", "cot-sft-compute"):
        assert options(Cell("structure", paradigm, 0), 0)["data.limit"] == "100"
    assert options(Cell("structure", "cot-sft", 0, 0.25), 0)["data.limit"] == "25"


def test_configs_come_in_their_order_and_the_cells_own_last():
    given = study(sft=["own.yaml"])
    args = command(
        given,
        Cell("counting", "ans-sft", 0),
        stages(given, Cell("counting", "ans-sft", 0))[0],
        HOME,
    )
    named = [value for key, value in itertools.pairwise(args) if key == "--config"]
    assert named == [
        "configs/sft.yaml",
        "configs/ans_sft.yaml",
        "own.yaml",
        "configs/data/counting.yaml",
        "configs/study/cell.yaml",
    ]


def test_stored_problems_are_not_told_how_many_to_draw():
    kept = options(Cell("counting", "cot-sft", 0), 0, task_config="configs/paper/{task}.yaml")
    assert "data.source.train" not in kept and kept["data.limit"] == "100"


def test_a_run_is_validated_so_often_and_on_its_last_step():
    # 12 steps of 2 updates each are 6 batches; 12 steps over 3 batches each are 36.
    given = options(Cell("counting", "rft", 0), 1, Settings(12, 4, updates=2), validations=3)
    assert (given["trainer.max_steps"], given["trainer.val_check_interval"]) == ("12", "2")
    given = options(
        Cell("counting", "cot-sft", 0), 0, Settings(12, 4, accumulated=3), validations=3
    )
    assert given["trainer.val_check_interval"] == "12"
    assert given["ckpt_path"] == "last" and given["trainer.max_epochs"] == "-1"
    # Nothing is chosen of stage 1.
    given = options(Cell("counting", "rft", 0), 0, Settings(12, 4), validations=3)
    assert given["trainer.val_check_interval"] == "12"


def test_the_best_checkpoint_is_tested_blind_and_swapped_too(tmp_path):
    given = options(Cell("counting", "cot-sft", 0), 1)
    assert given["ckpt_path"] == "home/cells/counting/cot-sft/seed-0/checkpoints/best.ckpt"
    assert (given["blind"], given["swap"]) == ("true", "true")
    assert "trainer.limit_test_batches" not in given
    assert "ckpt_path" not in options(Cell("counting", "zero-shot", 0), 0)
    last = tmp_path / "checkpoints" / "last.ckpt"
    last.parent.mkdir()
    last.touch()
    assert chosen_checkpoint(tmp_path) == last
    (last.parent / "best.ckpt").touch()
    assert chosen_checkpoint(tmp_path).name == "best.ckpt"
