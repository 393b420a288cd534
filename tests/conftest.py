"""What several tests share."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from reasonrft.problems import Problem

REAL = Path(__file__).resolve().parents[2] / "shared" / "real"


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
