"""What several tests share."""

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


def problem(answer: str, task: str = "general", question: str = "", **fields) -> Problem:
    return Problem(id="p", task=task, images=(), question=question, answer=answer, **fields)
