"""Runs that tests of how training ends are compared with."""

from collections.abc import Callable
from functools import cache

import pytest

from reasonrft.cli import main
from tests.cli.ending import Run


@pytest.fixture(scope="session")
def run(family_folder, tmp_path_factory) -> Callable[..., Run]:
    data = tmp_path_factory.getbasetemp() / "drawn-for-ending"
    return lambda stage, home: Run(stage, home, family_folder("qwen3-vl"), data)


@pytest.fixture(scope="session")
def whole(run, tmp_path_factory) -> Callable[[str], Run]:
    """The run of a stage that nothing disturbs."""

    @cache
    def undisturbed(stage: str) -> Run:
        one = run(stage, tmp_path_factory.mktemp(stage))
        main(one.args())
        return one

    return undisturbed
