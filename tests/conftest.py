"""What several tests share."""

import gc
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from torch import distributed

from reasonrft.problems import Problem

MEETING = {"MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "NODE_RANK", "LOCAL_RANK", "RANK"}
TESTS = Path(__file__).resolve().parent
REAL = TESTS.parents[1] / "shared" / "real"


LONG = """
    distributed/test_ranks.py cli/test_docs.py test_benchmarks.py cli/test_configs.py
    distributed/test_killed_ranks.py distributed/test_sharding_strategy.py modules/test_resume.py
    cli/test_faults.py cli/test_preemption.py worlds/test_perception.py modules/test_grpo.py
    planning/test_plan_run.py cli/test_plan_command.py checkpoints/test_loop_position.py
    cli/test_run_manifest.py cli/test_own_problems.py assets/test_tower_pretraining.py
    worlds/structure/test_structure_world.py cli/test_two_devices.py data/test_build.py
    modules/test_sft.py cli/test_run_defaults.py policy/test_scoring.py test_assets.py
    policy/test_export_model.py callbacks/test_before_and_after.py cli/test_installed.py
    iteration/test_run_iteration.py distillation/test_distill_command.py
    sweeps/test_run_sweep.py study/test_run_study.py study/test_dry_run.py
""".split()
"""Files that take ten seconds or more, the longest first."""


def pytest_collection_finish() -> None:
    """What is imported stays: the garbage collector need not go through it time and again."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, so that no worker waits for the other's last one."""
    places = {TESTS / name: at for at, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path, len(LONG)))


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """A trainer with ranks leaves their meeting place, which later tests would meet at too."""
    before, together = set(os.environ), distributed.is_initialized()
    yield
    if distributed.is_initialized() and not together:
        distributed.destroy_process_group()
    for name in MEETING - before:
        os.environ.pop(name, None)


@pytest.fixture
def real() -> Path:
    """Real samples, which stand beside the repository where they are at hand at all."""
    if not REAL.is_dir():
        pytest.skip("no real samples beside the repository")
    return REAL


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory) -> Callable[[str], Path]:
    """A function from a family's name to the folder of its small random model."""
    from tests.policy.families import save_family

    return cache(lambda name: save_family(name, tmp_path_factory.mktemp(name)))


def problem(answer: str, task: str = "general", question: str = "", **fields) -> Problem:
    return Problem(id="p", task=task, images=(), question=question, answer=answer, **fields)
