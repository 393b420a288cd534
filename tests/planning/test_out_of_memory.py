"""Runs that get less memory than they need end with one sentence of where, and what to turn."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.own_records import write_json

ROOT = Path(__file__).resolve().parents[2]
LIMITED = """
import resource, sys
from pathlib import Path
import reasonrft.cli.training_cli
from reasonrft.cli import main
from reasonrft.policy.policy import Policy

mebibytes, args = int(sys.argv[1]), sys.argv[2:]
prepare = Policy.prepare

def limit(policy, model):
    prepare(policy, model)
    lines = Path("/proc/self/status").read_text().splitlines()
    now = next(int(line.split()[1]) for line in lines if line.startswith("VmSize"))
    resource.setrlimit(resource.RLIMIT_AS, (1024 * now + mebibytes * 2**20,) * 2)

Policy.prepare = limit
main(args)
"""
"""Runs a command whose process may take so many more MiB than it has when the policy is there."""

SHORT = (
    "--trainer.accelerator cpu --trainer.max_steps 1 --trainer.limit_val_batches 0 "
    "--trainer.logger false --trainer.callbacks [] --trainer.enable_checkpointing false "
    "--trainer.enable_progress_bar false"
)
GRPO = f"fit --config grpo.yaml {SHORT} --data.batch_size 4"
CASES = {
    # A rollout of 128 rows has room; activations of all their tokens at once have not.
    "update": (
        f"{GRPO} --model.group_size 32 --model.sampling.max_tokens 128 "
        "--model.micro_batch_tokens 100000",
        400,
        "try --model.policy.activation_checkpointing=true",
    ),
    "rollout": (
        f"{GRPO} --model.group_size 8192 --model.sampling.max_tokens 8",
        200,
        "try --data.batch_size=2",
    ),
    "evaluation": (
        "test --config grpo.yaml --trainer.accelerator cpu --trainer.logger false "
        "--trainer.callbacks [] --model.answer_tokens 100000000",
        200,
        "try --data.eval_batch_size=16",
    ),
}


@pytest.mark.parametrize("phase", CASES)
def test_a_run_without_memory_names_phase_tokens_and_knob(phase, tmp_path):
    command, mebibytes, knob = CASES[phase]
    file = write_json(tmp_path, 12)
    done = subprocess.run(
        [
            *(sys.executable, "-c", LIMITED, str(mebibytes), *command.split()),
            *("--problems", str(file), "--test-problems", str(file)),
            *("--trainer.default_root_dir", str(tmp_path / "out")),
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=180,
    )
    said = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1, done.stderr[-2000:]
    assert said.startswith(f"reasonrft: step 0: there is not enough memory for the phase {phase} ")
    assert "tokens" in said and knob in said
    assert "Traceback" not in done.stderr
