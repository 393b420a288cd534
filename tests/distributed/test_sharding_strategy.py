"""Runs whose weights are spread over ranks: what they learn, and where they go on from."""

from typing import Any

import pytest
import torch

from reasonrft.checkpoints import SafeCheckpointIO
from reasonrft.distributed.sharding_strategy import ShardingStrategy, make_mesh
from reasonrft.errors import BadInput
from tests.distributed.processes import run_once
from tests.distributed.sharded_training import CASES, run_on_several, tune
from tests.modules.fitting import difference
from tests.starting import Forked

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def folder(family_folder):
    return family_folder("qwen3-vl")


@pytest.fixture(scope="session")
def home(family_folder, tmp_path_factory):
    folder = family_folder("qwen3-vl")

    def run(home):
        torch.save(tune(folder, 1, save=home / "alone.ckpt"), home / "alone.pt")
        Forked(home, run_on_several, folder, home).result(seconds=400)

    return run_once(tmp_path_factory.getbasetemp(), "sharded-training", run)


def outcomes(home: Any, name: str, ranks: int = 2) -> list[Any]:
    return [torch.load(home / f"{name}-{rank}.pt") for rank in range(ranks)]


@pytest.mark.parametrize("name", CASES)
def test_a_run_goes_on_to_the_same_bits_on_as_many_ranks(name, home):
    (whole, rest), (other, _) = outcomes(home, name)
    assert difference(whole["weights"], other["weights"]) == 0
    assert difference(whole["weights"], rest["weights"]) == 0
    steps = {step: whole["losses"][step] for step in rest["losses"]}
    assert len(steps) < len(whole["losses"]) and steps == rest["losses"]


@pytest.mark.parametrize("name", CASES)
def test_a_run_goes_on_alone_within_float_error(name, home, folder):
    (whole, _), _ = outcomes(home, name)
    rest = tune(folder, 1, resume=home / f"{name}.ckpt", **CASES[name])
    # In bfloat16 a gradient is rounded where ranks add theirs up.
    error = 0.03 if name == "master" else 1e-4
    assert difference(whole["weights"], rest["weights"]) < error
    steps = {step: whole["losses"][step] for step in rest["losses"]}
    assert rest["losses"] == pytest.approx(steps, abs=error)


def test_a_run_goes_on_from_one_process_on_two_ranks(home):
    alone = torch.load(home / "alone.pt")
    for rest in outcomes(home, "from-one"):
        assert difference(alone["weights"], rest["weights"]) < 1e-4
        steps = {step: alone["losses"][step] for step in rest["losses"]}
        assert rest["losses"] == pytest.approx(steps, abs=1e-4)


def test_copies_of_shards_learn_what_shards_do(home):
    alone = torch.load(home / "alone.pt")
    for name in ("whole", "hybrid"):
        for whole, rest in outcomes(home, name, ranks=4):
            # A hybrid run goes on without copies.
            for outcome in (whole, rest):
                assert difference(alone["weights"], outcome["weights"]) < 1e-4


@pytest.mark.parametrize("name", ["adapter", "consolidated", "ddp"])
def test_a_checkpoint_holds_what_is_trained(name, home):
    checkpoint = SafeCheckpointIO().load_checkpoint(home / f"{name}.ckpt")
    (whole, _), _ = outcomes(home, name)
    trained = {f"policy.{key}" for key in whole["weights"] if "language_model" in key}
    if name == "adapter":
        trained = {key for key in trained if ".lora_" in key}
    assert checkpoint["state_dict"].keys() == trained and len(trained) > 10
    assert len(checkpoint["optimizer_states"][0]["state"]) == len(trained)


def test_a_size_that_does_not_divide_the_ranks_is_refused():
    with pytest.raises(BadInput, match="shard_size is 3, and does not divide the 4 processes"):
        make_mesh("cpu", 4, 3)
    with pytest.raises(BadInput, match="shard_size must be at least 1"):
        ShardingStrategy(shard_size=0)
