"""Runs on two ranks that are killed with SIGKILL, and go on on two and on one.

What they run, each in processes that are forked, is the command line in the environment that
torchrun makes.
"""

import os
import random
import shutil
import signal
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from reasonrft.cli import main
from reasonrft.datamodules import ProblemSource
from reasonrft.problems import Problem
from tests.datamodules.reading import made_up
from tests.modules.test_resume import CONFIGS, OFTEN, rows_in

SHARDED = {"trainer.strategy": "ShardingStrategy"}
CONSOLIDATED = {
    "trainer.strategy": (
        '{"class_path": "ShardingStrategy", "init_args": {"checkpoints": "consolidated"}}'
    )
}
SFT = {"trainer.max_epochs": 2}
GRPO = {
    "trainer.max_steps": 8,
    "model.beta": 0.04,
    "model.group_size": 4,
    "model.sampling.max_tokens": 6,
    "model.rewards": '{"even": {"class_path": "tests.modules.fitting.Even"}}',
    "model.dynamic_sampling": 1,
    "data.curriculum": '{"threshold": 0.3, "window": 6}',
    "model.optimizer.init_args.lr": 0.001,
}
CASES: dict[str, tuple[list[str], dict[str, Any]]] = {
    "sft-sharded": (["sft.yaml"], SFT | SHARDED),
    "grpo-consolidated": (["grpo.yaml", "lora.yaml"], GRPO | CONSOLIDATED),
}
ROWS = 8
"""Logged steps of each run."""


class Sixteen(ProblemSource):
    """Problems that need not be drawn."""

    splits = ("train", "val")

    def problems(self, split: str, task: str | None = None) -> Sequence[Problem]:
        count = 16 if split == "train" else 1
        return [made_up(number, meta={"level": number % 3}) for number in range(count)]


def arguments(name: str, ranks: int, folder: Path, home: Path, run: Path) -> list[str]:
    configs, options = CASES[name]
    overlay = home / "often.yaml"
    overlay.write_text(OFTEN)
    options = {
        "policy": folder,
        "data.source": "tests.distributed.killed_ranks.Sixteen",
        "data.val_splits": "[val]",
        "data.batch_size": 4 // ranks,
        "model.answer_tokens": 4,
        "trainer.accelerator": "cpu",
        "trainer.devices": ranks,
        "trainer.default_root_dir": run,
        **options,
    }
    if ranks == 1:
        del options["trainer.strategy"]
    args = ["fit"]
    for config in [*(CONFIGS / config for config in configs), overlay]:
        args += ["--config", str(config)]
    return args + [f"--{key}={value}" for key, value in options.items()]


def start(args: list[str], ranks: int) -> list[int]:
    """The processes of a run."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    common = {"WORLD_SIZE": ranks, "LOCAL_WORLD_SIZE": ranks, "GROUP_RANK": 0}
    common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "none"}
    processes = []
    for rank in range(ranks):
        process = os.fork()
        if process == 0:
            own = {"RANK": rank, "LOCAL_RANK": rank} | common if ranks > 1 else {}
            os.environ.update({key: str(value) for key, value in own.items()})
            torch.set_num_threads(1)
            _run(args)
        processes.append(process)
    return processes


def _run(args: list[str]) -> None:
    code = 1
    try:
        main(args)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def finish(processes: list[int]) -> None:
    codes = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]
    assert not any(codes), codes


def kill_after(rows: int, processes: list[int], run: Path) -> None:
    while rows_in(run, 0) < rows:
        assert os.waitpid(processes[0], os.WNOHANG) == (0, 0)
        time.sleep(0.01)
    for process in processes:
        os.kill(process, signal.SIGKILL)
    for process in processes:
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL


def run_case(name: str, folder: Path, home: Path) -> None:
    whole, two, one = (home / f"{name}-{kind}" for kind in ("whole", "two", "one"))
    finish(start(arguments(name, 2, folder, home, whole), 2))
    args = arguments(name, 2, folder, home, two)
    kill_after(random.randrange(4, 8), start(args, 2), two)
    shutil.copytree(two, one)
    finish(start([*args, "--ckpt_path", "last"], 2))
    finish(start([*arguments(name, 1, folder, home, one), "--ckpt_path", "last"], 1))


def run_all(folder: Path, home: Path) -> None:
    for name in CASES:
        run_case(name, folder, home)
