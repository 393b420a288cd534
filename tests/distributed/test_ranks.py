"""Two processes learn what one does that has all their problems in its batch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from reasonrft.policy import Policy
from tests.distributed.leaving import leave
from tests.distributed.processes import run_once
from tests.distributed.ten_steps import CASES, STRATEGIES, load, ten_steps
from tests.distributed.two_ranks import (
    REINFORCED,
    STOPPED,
    TUNED,
    reinforce,
    run_on_two,
    share,
    tune,
)
from tests.modules.fitting import difference
from tests.starting import Forked

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def folder(family_folder) -> Path:
    return family_folder("qwen3-vl")


@pytest.fixture(scope="session")
def ranks(family_folder, tmp_path_factory) -> Any:
    """A function from a training's name to what each of two processes has to say of it."""
    folder = family_folder("qwen3-vl")

    def train(home: Path) -> None:
        Forked(home, run_on_two, folder, home).result(seconds=900)

    home = run_once(tmp_path_factory.getbasetemp(), "ranks", train)
    return lambda name: [torch.load(home / f"{name}-{rank}.pt") for rank in (0, 1)]


@pytest.mark.parametrize("name", REINFORCED)
def test_two_ranks_reinforce_as_one(name, ranks, folder):
    alone = reinforce(folder, 1, **REINFORCED[name])
    first, second = ranks(name)
    assert first["texts"].keys().isdisjoint(second["texts"])
    assert first["texts"] | second["texts"] == alone["texts"]
    if name == "levels":
        assert [metrics["train/level"] for metrics in alone["metrics"]] == [1, 1, 2, 2, 2]
        sampled = [metrics["train/sampled_groups"] for metrics in alone["metrics"]]
        assert len(alone["texts"]) < sum(sampled)
    else:
        assert len(alone["texts"]) == 14
        # One has no group to learn from, and no micro-batch of its own where there is no penalty.
        assert (first["silent"], second["silent"]) == ([False, True], [True, False])
    # Where shared rows fail on one, neither goes on with them.
    assert (
        first["supports_shared_prefix"] == second["supports_shared_prefix"] == (name != "careless")
    )
    assert difference(first["weights"], second["weights"]) == 0
    assert difference(first["weights"], alone["weights"]) < 1e-5
    assert difference(first["weights"], start(folder)) > 1e-3
    assert first["metrics"] == second["metrics"]
    for of_two, of_one in zip(first["metrics"], alone["metrics"], strict=True):
        assert comparable(of_two) == pytest.approx(comparable(of_one), abs=1e-5)


def start(folder: Path) -> dict[str, torch.Tensor]:
    policy = Policy(str(folder))
    policy.load()
    return {name: value.detach() for name, value in policy.named_parameters()}


def comparable(metrics: Mapping[str, float]) -> dict[str, float]:
    """Without what depends on the company of a prompt, and on who has seen its image before."""
    others = ("time/", "perf/row_steps", "perf/images_encoded")
    return {name: value for name, value in metrics.items() if not name.startswith(others)}


@pytest.mark.parametrize("name", TUNED)
def test_two_ranks_fine_tune_as_one(name, ranks, folder):
    alone = tune(folder, 1, **TUNED[name])
    first, second = ranks(name)
    assert difference(first["weights"], second["weights"]) == 0
    assert difference(first["weights"], alone["weights"]) < 1e-5
    assert difference(first["weights"], start(folder)) > 1e-3
    assert first["losses"] == second["losses"] == pytest.approx(alone["losses"], abs=1e-5)


@pytest.mark.parametrize("name", STOPPED)
def test_what_stops_one_rank_stops_both_and_both_say_why(name, ranks):
    said = {
        "raising": "ValueError: no such unit",
        "overflowing": f"step 0: the loss is nan on problems {min(share(0, rank=1))};",
    }[name]
    first, second = ranks(name)
    assert said in first["error"] and said in second["error"]
    assert not first["moved"] and not second["moved"]


@pytest.mark.parametrize("name", CASES)
def test_each_strategy_trains_as_one_process_does(name, ranks, folder):
    case = CASES[name]
    alone = ten_steps(folder, "auto", **case)
    begun = load(folder, case.get("weights", "full"), **case.get("loaded", {}))
    before = {name: value.detach() for name, value in begun.named_parameters()}
    assert difference(alone["weights"], before) > 1e-3
    for strategy in STRATEGIES:
        first, second = ranks(f"{name}-{strategy}")
        assert difference(first["weights"], second["weights"]) == 0
        assert difference(first["weights"], alone["weights"]) < 1e-5
        assert first["losses"] == second["losses"] == pytest.approx(alone["losses"], abs=1e-5)
        assert first["metrics"] == second["metrics"]
        for of_two, of_one in zip(first["metrics"], alone["metrics"], strict=True):
            assert comparable(of_two) == pytest.approx(comparable(of_one), abs=1e-4)
    if case.get("method") == "grpo" and case.get("beta") != 0:
        assert alone["metrics"][-1]["train/kl"] > 0.01


def test_ragged_completions_and_a_rank_without_an_image_are_among_them(folder):
    alone = ten_steps(folder, "auto", "grpo", steps=1)
    assert 0 < alone["metrics"][0]["train/truncated"] < 1
    mixed = CASES["grpo-imageless"]
    assert not any(problem.images for problem in mixed["problems"][: mixed["first"]])
    assert any(problem.images for problem in mixed["problems"][mixed["first"] :])


def test_ranks_sample_through_one_server_whose_weights_the_first_keeps_in_step(ranks):
    first, second = ranks("served")
    assert first["metrics"] == second["metrics"]
    assert (first["synced"], second["synced"]) == (2, None)
    for metrics in first["metrics"]:
        assert metrics["perf/requests_0"] == 4  # two prompts of each rank
        assert 0 < metrics["train/rollout_logprob_diff_max"] < 1e-3
        # Two completions of four prompts: a server's all come while others are sampled, or last.
        assert metrics["train/judge/early_calls"] == 8
        assert metrics["train/judge/calls"] + metrics["train/judge/cache_hits"] == 8
    asked = sum(metrics["train/judge/calls"] for metrics in first["metrics"])
    assert asked == first["judged"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_two_ranks_leave_what_one_does(strategy, ranks, folder, tmp_path):
    alone = leave(tmp_path, folder, 1, "auto")
    first, second = ranks(f"left-{strategy}")
    assert first["digest"] == second["digest"]
    assert first["tested"] == second["tested"] == pytest.approx(alone["tested"])
    for name in ("adapter/adapter_model.safetensors", "policy/model.safetensors"):
        of_two, of_one = (load_file(Path(left["root"], name)) for left in (first, alone))
        assert difference(of_two, of_one) < 1e-5
    files = [
        sorted(path.name for path in Path(left["root"], "policy").iterdir())
        for left in (first, alone)
    ]
    assert files[0] == files[1]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_an_export_that_one_rank_cannot_write_ends_both(strategy, ranks):
    for rank in ranks(f"refused-{strategy}"):
        assert "adapter holds other files than a model's" in rank["error"]
