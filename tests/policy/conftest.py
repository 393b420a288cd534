"""Families' small models, made once for all tests."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.policy.families import save_family


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory) -> Callable[[str], Path]:
    """A function from a family's name to the folder of its small random model."""
    return cache(lambda name: save_family(name, tmp_path_factory.mktemp(name)))
