"""Several processes, as the command line starts them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

OPTIONS = {
    "trainer.accelerator": "cpu",
    "trainer.devices": 2,
    "trainer.max_steps": 2,
    "trainer.enable_progress_bar": "false",
    "data.source.train": 6,
    "data.source.val": 1,
    "data.source.test": 1,
    "data.source.workers": 1,
    "data.batch_size": 2,
    "model.beta": 0.04,
    "model.sampling.max_tokens": 4,
    "model.answer_tokens": 2,
}
LIMIT = 240
"""Seconds; a run takes some twenty, of which most goes to imports."""


def test_two_processes_train_and_leave_all_that_one_does(tmp_path):
    configs = ("grpo.yaml", "lora.yaml", "fsdp.yaml")
    args = [word for config in configs for word in ("--config", config)]
    args += [f"--{name}={value}" for name, value in OPTIONS.items()]
    command = [sys.executable, "-m", "reasonrft", "fit", *args]
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            output, _ = running.communicate(timeout=LIMIT)
        except BaseException:
            os.killpg(running.pid, signal.SIGKILL)
            raise
    assert running.returncode == 0, output
    assert "2 processes" in output and "OOD-operation" in output
    home = tmp_path / "outputs/grpo/counting"
    left = {path.relative_to(home).as_posix() for path in home.rglob("*")}
    assert left >= {
        "adapter/adapter_model.safetensors",
        "policy/model.safetensors",
        "checkpoints/last.ckpt/state.pt",
        "summary.json",
        "samples.html",
        "curves.png",
    }
