"""Runs that get less memory than they need end with one sentence of where, and what to turn."""

import resource
from pathlib import Path
from typing import Any

import pytest

from reasonrft.cli import main
from reasonrft.policy import Policy
from tests.cli.own_records import write_json
from tests.starting import Forked

SHORT = (
    "--trainer.accelerator cpu --trainer.max_steps 1 --trainer.limit_val_batches 0 "
    "--trainer.logger false --trainer.callbacks [] --trainer.enable_checkpointing false "
    "--trainer.enable_progress_bar false"
)
GRPO = f"fit --config grpo.yaml {SHORT} --data.batch_size 4"
CASES = {
    # A rollout of 256 rows has room; activations of all their tokens at once have not.
    "update": (
        f"{GRPO} --model.group_size 64 --model.sampling.max_tokens 64 "
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


def run_limited(mebibytes: int, args: list[str]) -> None:
    """A command whose process may take so many more MiB than it has when the policy is there."""
    prepare = Policy.prepare

    def limit(policy: Policy, model: Any) -> None:
        prepare(policy, model)
        lines = Path("/proc/self/status").read_text().splitlines()
        now = next(int(line.split()[1]) for line in lines if line.startswith("VmSize"))
        resource.setrlimit(resource.RLIMIT_AS, (1024 * now + mebibytes * 2**20,) * 2)

    Policy.prepare = limit  # type: ignore[method-assign]
    main(args)


@pytest.mark.parametrize("phase", CASES)
def test_a_run_without_memory_names_phase_tokens_and_knob(phase, tmp_path):
    command, mebibytes, knob = CASES[phase]
    file = write_json(tmp_path, 12)
    args = [
        *command.split(),
        *("--problems", str(file), "--test-problems", str(file)),
        *("--trainer.default_root_dir", str(tmp_path / "out")),
    ]
    with Forked(tmp_path, run_limited, mebibytes, args) as limited:
        code, told = limited.end()
    assert code == 1, told[-2000:]
    said = told.strip().splitlines()[-1]
    assert said.startswith(f"reasonrft: step 0: there is not enough memory for the phase {phase} ")
    assert "tokens" in said and knob in said
    assert "Traceback" not in told
