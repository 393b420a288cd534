"""Signals end a run at once, whatever a reward does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.running import SMALL_GRPO

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 60
"""Seconds after which a process is taken to hang."""


def wait_for(what, process: subprocess.Popen) -> None:
    end = time.monotonic() + LIMIT
    while not what():
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_whose_reward_hangs(tmp_path, number):
    options = SMALL_GRPO | {
        "model.rewards": '{"accuracy": {"class_path": "tests.cli.hanging.Hanging"}}',
        "trainer.callbacks": "[]",
        "trainer.limit_val_batches": 0,
    }
    command = [sys.executable, "-m", "reasonrft", "fit", "--config", "grpo.yaml"]
    command += [f"--{name}={value}" for name, value in options.items()]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for((tmp_path / "asked").exists, process)
        process.send_signal(number)
        _, told = process.communicate(timeout=LIMIT)
    finally:
        process.kill()
    assert process.returncode == 128 + number
    assert f"reasonrft: ended by {number.name}" in told
    assert "Traceback" not in told
