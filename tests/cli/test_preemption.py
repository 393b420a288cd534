"""Training that is told to end finishes its step, saves, and goes on by the same command."""

import os
import signal

import pytest

from reasonrft.cli import main
from tests.cli.ending import same
from tests.starting import Started

pytestmark = pytest.mark.filterwarnings("ignore")
LAST = ["--ckpt_path", "last"]


def signalled(number: int, batch: int, rank: int = 0) -> dict:
    arguments = {"number": int(number), "batch": batch, "rank": rank}
    return {"class_path": "tests.cli.faulty.Signalled", "init_args": arguments}


@pytest.mark.parametrize(
    ("stage", "number", "batch", "step"),
    [
        # In the first of two accumulated batches, and in the last of an epoch.
        ("sft", signal.SIGTERM, 4, 3),
        ("sft", signal.SIGUSR1, 11, 6),
        ("grpo", signal.SIGTERM, 2, 6),
        ("grpo", signal.SIGUSR1, 5, 12),
    ],
)
def test_a_preempted_run_goes_on_to_the_same_bits(stage, number, batch, step, run, whole, tmp_path):
    one = run(stage, tmp_path)
    args = one.args(callback=signalled(number, batch)) + LAST
    with Started(args, tmp_path) as started:
        code, told = started.end()
    assert code == 143, told
    assert f"ended by {number.name}; step {step} is saved, and --ckpt_path last goes on" in told
    assert "Traceback" not in told and one.saved_step() == step
    main(args)
    expected, before = whole(stage).logged(), one.logged()
    after = one.logged(1) if len(before) < len(expected) else {}
    assert before and before | after == expected and before.keys().isdisjoint(after)
    assert same(one.weights(), whole(stage).weights())


@pytest.mark.parametrize(("number", "again"), [(signal.SIGTERM, False), (signal.SIGUSR1, True)])
def test_a_step_whose_reward_hangs_is_given_up_and_what_was_before_it_saved(
    number, again, run, tmp_path
):
    one = run("grpo", tmp_path)
    # Seconds until the step is given up; where a second signal is sent, that one comes first.
    given = {"step": 2} if again else {"step": 2, "grace": 1.0}
    hanging = {"class_path": "tests.cli.faulty.Hanging", "init_args": given}
    with Started(one.args(hanging), tmp_path) as started:
        started.wait_for((tmp_path / "asked").exists)
        started.send(number)
        started.wait_for(lambda: "the step in flight is finished" in started.text())
        if again:
            started.send(signal.SIGINT)
        code, told = started.end()
    assert code == (130 if again else 143) and "Traceback" not in told
    if again:
        assert "is saved" not in told and not (one.folder / "checkpoints").exists()
    else:
        assert f"ended by {number.name}; step 4 is saved" in told and one.saved_step() == 4


def test_without_a_checkpoint_callback_it_is_said_that_nothing_is_saved(run, tmp_path):
    one = run("sft", tmp_path)
    args = one.args(callback=signalled(signal.SIGTERM, 2))
    with Started([*args, "--trainer.enable_checkpointing=false"], tmp_path) as started:
        code, told = started.end()
    assert code == 143 and "nothing was saved: no ModelCheckpoint with save_last" in told


def test_slurm_takes_the_job_back_and_its_next_start_goes_on(run, whole, tmp_path):
    one = run("sft", tmp_path)
    args = one.args(callback=signalled(signal.SIGUSR1, 4))
    scontrol = tmp_path / "scontrol"
    scontrol.write_text('#!/bin/sh\necho "$@" > asked-of-slurm\n')
    scontrol.chmod(0o755)
    job = {
        "SLURM_JOB_ID": "17",
        "SLURM_JOB_NAME": "train",
        "SLURM_NTASKS": "1",
        "SLURM_PROCID": "0",
        "SLURM_LOCALID": "0",
        "SLURM_NODEID": "0",
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
    }
    with Started(args, tmp_path, **job) as started:
        assert started.end()[0] == 143
    assert (tmp_path / "asked-of-slurm").read_text() == "requeue 17\n"
    assert one.saved_step() == 3
    with Started(args, tmp_path, **job, SLURM_RESTART_COUNT="1") as started:
        code, told = started.end()
    assert code == 0, told
    assert same(one.weights(), whole("sft").weights())


def test_two_ranks_stop_at_the_same_step_though_one_alone_is_told(run, tmp_path):
    one = run("grpo", tmp_path)
    args = one.args(callback=signalled(signal.SIGTERM, 1, rank=1)) + [
        *["--trainer.devices=2", "--trainer.strategy=ddp", "--data.batch_size=1", *LAST]
    ]
    with Started(args, tmp_path) as started:
        code, told = started.end()
    assert code == 143, told
    assert "step 4 is saved" in told and one.saved_step() == 4
    assert "Traceback" not in told
    assert sorted(one.logged()) == [0, 1]
