"""Programs of several processes, run once for all tests that look at what they leave."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from torch import distributed, multiprocessing

PATIENCE = timedelta(seconds=120)
"""Ranks that wait in vain for each other fail before a test gives up."""


def run_once(base: Path, name: str, run: Callable[[Path], None]) -> Path:
    """The folder that a run filled, by whichever worker of pytest-xdist came first."""
    home = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with FileLock(f"{home}.lock"):
        if not home.exists():
            home.mkdir()
            run(home)
    return home


def fork_ranks(function: Callable[..., None], ranks: int, home: Path, *args: Any) -> None:
    """Call a function in several processes that know of each other."""
    given = (function, ranks, home, *args)
    multiprocessing.start_processes(_be_rank, given, ranks, start_method="fork")


def _be_rank(rank: int, function: Callable[..., None], ranks: int, home: Path, *args: Any) -> None:
    # A file to meet at needs no port.
    meeting = f"file://{home / f'meeting-of-{ranks}'}"
    distributed.init_process_group("gloo", meeting, PATIENCE, world_size=ranks, rank=rank)
    os.environ["LOCAL_RANK"] = str(rank)
    torch.set_num_threads(1)
    function(ranks, home, *args)
    distributed.destroy_process_group()
