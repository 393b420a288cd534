"""What several tests share."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from torch import distributed

from reasonrft.problems import Problem

MEETING = {"MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "NODE_RANK", "LOCAL_RANK", "RANK"}
REAL = Path(__file__).resolve().parents[2] / "shared" / "real"


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
