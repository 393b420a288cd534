"""Two ranks that are killed with SIGKILL end as if nothing had happened, on two and on one."""

import pytest
from safetensors.torch import load_file

from tests.distributed.killed_ranks import CASES, ROWS, run_all
from tests.distributed.processes import run_once
from tests.modules.fitting import difference
from tests.modules.test_resume import curves
from tests.starting import Forked

FILES = {"sft": "policy/model.safetensors", "grpo": "adapter/adapter_model.safetensors"}


@pytest.fixture(scope="session")
def home(family_folder, tmp_path_factory):
    folder = family_folder("qwen3-vl")

    def run(home):
        Forked(home, run_all, folder, home).result(seconds=600)

    return run_once(tmp_path_factory.getbasetemp(), "killed-ranks", run)


@pytest.mark.parametrize("name", CASES)
def test_two_killed_ranks_go_on_to_the_same_bits(name, home):
    whole, two = (home / f"{name}-{kind}" for kind in ("whole", "two"))
    expected, before, after = curves(whole, 0), curves(two, 0), curves(two, 1)
    assert len(expected) == ROWS and 0 < min(after) <= max(before) + 1 < ROWS
    assert all(row == expected[step] for half in (before, after) for step, row in half.items())
    assert (before | after).keys() == expected.keys()
    if name.startswith("grpo"):
        levels = {float(row["train/level"]) for row in expected.values()}
        assert levels == {0, 1, 2}, "no level opens on the way"
    file = FILES[name.partition("-")[0]]
    assert difference(load_file(whole / file), load_file(two / file)) == 0


@pytest.mark.parametrize("name", CASES)
def test_two_killed_ranks_go_on_as_one_within_float_error(name, home):
    whole, one = (home / f"{name}-{kind}" for kind in ("whole", "one"))
    expected, after = curves(whole, 0), curves(one, 1)
    for step, row in after.items():
        for key in ("train/loss", "train/reward", "train/tokens"):
            if key in row:
                assert float(row[key]) == pytest.approx(float(expected[step][key]), abs=1e-4)
    file = FILES[name.partition("-")[0]]
    assert difference(load_file(whole / file), load_file(one / file)) < 1e-4
