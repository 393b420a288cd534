"""What validation measured is on file, also where a run was killed before it."""

import pytest

from reasonrft.sweeps.validation_record import FILE, best_of, read_measured
from tests.cli.running import SMALL, run

pytestmark = pytest.mark.filterwarnings("ignore")


BATCHES = {"trainer.val_check_interval": 1, "trainer.check_val_every_n_epoch": "null"}
EPOCHS = {"trainer.check_val_every_n_epoch": 1}


@pytest.mark.parametrize("often", [BATCHES, EPOCHS], ids=["batches", "epochs"])
def test_a_validation_that_a_run_was_killed_before_is_made_up_for(
    often, tmp_path, family_folder, tmp_path_factory
):
    options = SMALL | {
        "policy": family_folder("qwen3-vl"),
        "data.source.folder": tmp_path_factory.getbasetemp() / "drawn-for-records",
        "data.source.train": 2,
        "trainer.default_root_dir": tmp_path,
        "trainer.callbacks+": "reasonrft.sweeps.ValidationRecord",
        "trainer.max_steps": 1,
        "ckpt_path": "last",
    }
    options |= often
    run("fit --config sft.yaml", **options)
    before = read_measured(tmp_path)
    assert list(before) == [1] and "val/counting/val/accuracy" in before[1]
    (tmp_path / FILE).unlink()
    run("fit --config sft.yaml", **options)
    assert read_measured(tmp_path) == before
    assert "val/counting/val/accuracy" in (tmp_path / "csv/version_1/metrics.csv").read_text()


def test_the_first_of_equals_is_the_best():
    measured = {2: {"m": 0.5, "n": float("nan")}, 4: {"m": 0.75}, 6: {"m": 0.75}, 8: {"m": 0.25}}
    assert best_of(measured, "m", "max") == (0.75, 4)
    assert best_of(measured, "m", "min") == (0.25, 8)
    assert best_of(measured, "n", "max") is None and best_of({}, "m", "max") is None
