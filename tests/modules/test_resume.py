"""A run that is killed with SIGKILL and started again ends as if nothing had happened."""

import csv
import random
import signal
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from reasonrft.cli import main
from tests.starting import Started

pytestmark = pytest.mark.filterwarnings("ignore")

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
OFTEN = """
trainer:
  enable_progress_bar: false
  limit_val_batches: 0
  log_every_n_steps: 1
  logger:
    class_path: CSVLogger
    init_args: {save_dir: "${trainer.default_root_dir}", name: csv, flush_logs_every_n_steps: 1}
  callbacks:
    - class_path: ModelCheckpoint
      init_args:
        dirpath: ${trainer.default_root_dir}/checkpoints
        every_n_train_steps: 3
        save_top_k: 0
        save_last: true
    - class_path: ExportPolicy
"""
STAGE_1 = {
    "trainer.max_epochs": 4,
    "trainer.accumulate_grad_batches": 2,
    "data.workers": 1,
}
STAGE_2 = {
    "trainer.max_steps": 40,  # two for each batch
    "model.updates": 2,
    "model.beta": 0.04,
    "model.group_size": 4,
    "model.sampling.max_tokens": 6,
    "model.rewards": '{"capitals": {"class_path": "tests.modules.fitting.Capitals"}}',
    "model.optimizer.init_args.lr": 0.001,
}
ROWS = 20


CHECKED = "train/image_gap"  # logged at the start of each process


def curves(run: Path, version: int) -> dict[int, dict[str, str]]:
    """What was logged of training at each step, digit for digit."""
    path = run / "csv" / f"version_{version}" / "metrics.csv"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return {
        int(row["step"]): {
            name: value
            for name, value in row.items()
            # Levels that a part of a run does not meet have no columns.
            if name.startswith("train/") and name != CHECKED and value
        }
        for row in rows
        if row.get("train/loss")
    }


def rows_in(run: Path, version: int = 0) -> int:
    try:
        return len(curves(run, version))
    except (OSError, ValueError, KeyError, TypeError):  # not yet there, or being written
        return 0


def kill_after(rows: int, args: list[str], run: Path, version: int) -> None:
    """Kill the start of a run that has this version of curves when they have so many rows."""
    with Started(args, run.parent) as killed:
        killed.wait_for(lambda: rows_in(run, version) >= rows)
        killed.send(signal.SIGKILL)
        assert killed.end()[0] == -signal.SIGKILL


@pytest.mark.parametrize(
    ("config", "stage", "kills"),
    [("sft.yaml", STAGE_1, 2), ("grpo.yaml", STAGE_2, 1)],
)
def test_a_killed_run_goes_on_to_the_same_bits(
    family_folder, tmp_path, tmp_path_factory, config, stage, kills
):
    overlay = tmp_path / "often.yaml"
    overlay.write_text(OFTEN)
    options = {
        "policy": family_folder("qwen3-vl"),
        "data.source.folder": tmp_path_factory.getbasetemp() / "drawn-for-resuming",
        "data.source.train": 20,
        "data.source.val": 1,
        "data.source.test": 1,
        "data.batch_size": 2,
        **stage,
    }
    args = ["fit", "--config", str(CONFIGS / config), "--config", str(overlay)]
    args += [f"--{key}={value}" for key, value in options.items()]
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    main([*args, f"--trainer.default_root_dir={whole}"])

    args += [f"--trainer.default_root_dir={halves}"]
    for version in range(kills):
        kill_after(random.randrange(4, 16 // kills), args, halves, version)
        args += ["--ckpt_path", "last"] * (version == 0)
    main(args)

    expected, *parts = curves(whole, 0), *(curves(halves, number) for number in range(kills + 1))
    assert len(expected) == ROWS
    for before, after in pairwise(parts):
        assert 0 < min(after) <= max(before) + 1 < max(expected)
    assert all(row == expected[step] for part in parts for step, row in part.items())
    assert {step for part in parts for step in part} == expected.keys()
    weights = [load_file(run / "policy" / "model.safetensors") for run in (whole, halves)]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
