"""One run, which was interrupted after three of five steps, for all that look at what it left."""

from pathlib import Path
from typing import NamedTuple

import pytest

from reasonrft.modules import GRPOModule
from tests.callbacks.short_run import run, watching


class Finished(NamedTuple):
    home: Path
    policy: Path
    """Where the policy came from."""
    module: GRPOModule
    at_the_start: str
    """What summary.json held when the run was interrupted."""


@pytest.fixture(scope="session")
def finished(family_folder, tmp_path_factory) -> Finished:
    folder, home = family_folder("qwen3-vl"), tmp_path_factory.mktemp("run")
    run(folder, home, watching(), steps=3)
    start = (home / "summary.json").read_text()
    module = run(folder, home, watching(), steps=5, ckpt_path=str(home / "end.ckpt"))
    return Finished(home, folder, module, start)
