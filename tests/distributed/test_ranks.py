"""Two processes learn what one does that has all their problems in its batch."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock

from reasonrft.policy import Policy
from tests.distributed.two_ranks import REINFORCED, STOPPED, TUNED, reinforce, share, tune
from tests.modules.fitting import difference

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def folder(family_folder) -> Path:
    return family_folder("qwen3-vl")


@pytest.fixture(scope="session")
def ranks(family_folder, tmp_path_factory) -> Any:
    """A function from a training's name to what each of two processes has to say of it."""
    base = tmp_path_factory.getbasetemp()
    # The workers of pytest-xdist share one run.
    home = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "ranks"
    with FileLock(f"{home}.lock"):
        if not home.exists():
            home.mkdir()
            train_on_two(family_folder("qwen3-vl"), home)
    return lambda name: [torch.load(home / f"{name}-{rank}.pt") for rank in (0, 1)]


def train_on_two(folder: Path, home: Path) -> None:
    command = [sys.executable, "-m", "tests.distributed.two_ranks", str(folder), str(home)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, start_new_session=True) as running:
        try:
            running.wait(timeout=1200)
        except BaseException:
            os.killpg(running.pid, signal.SIGKILL)
            raise
    assert running.returncode == 0


@pytest.mark.parametrize("name", REINFORCED)
def test_two_ranks_reinforce_as_one(name, ranks, folder):
    alone = reinforce(folder, 1, **REINFORCED[name])
    first, second = ranks(name)
    assert first["texts"].keys().isdisjoint(second["texts"])
    assert first["texts"] | second["texts"] == alone["texts"] and len(alone["texts"]) == 14
    if name != "resampled":
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
    others = ("time/", "perf/row_steps_saved", "perf/images_encoded")
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
