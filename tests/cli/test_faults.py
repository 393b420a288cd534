"""What goes wrong in a step ends the run in one sentence, and costs no more than this step."""

import signal

import pytest

from tests.cli.ending import CAPITALS, same
from tests.starting import Started

pytestmark = pytest.mark.filterwarnings("ignore")


def faulty(name: str, **arguments: object) -> dict:
    return {"class_path": f"tests.cli.faulty.{name}", "init_args": arguments}


@pytest.mark.parametrize(
    ("stage", "reward", "callback", "options", "sentence", "step"),
    [
        pytest.param(
            *("grpo", faulty("Faulty", step=2), None, {}),
            "reward 'one' on problem 'counting-train-{id}' failed: ValueError: no such unit ({id}/"
            "tests/cli/faulty.py, line ",
            4,
            id="a reward raises",
        ),
        pytest.param(
            *("grpo", faulty("Hanging", step=2), None, {"model.reward_seconds": 1}),
            "reward 'one' on problem 'counting-train-{id}' has taken more than its 1 seconds",
            4,
            id="a reward hangs",
        ),
        pytest.param(
            *("sft", CAPITALS, faulty("WorkerKilled", batch=5), {"data.workers": 1}),
            "a process that loads data (pid {id}) has died",
            2,
            id="a loader worker is killed",
        ),
        pytest.param(
            *("sft", CAPITALS, faulty("LossNotFinite", batch=5), {}),
            "step 2: the loss is nan on problems ",
            2,
            id="a batch of fine-tuning has no finite loss",
        ),
        pytest.param(
            *("sft", CAPITALS, faulty("NotFinite", batch=5), {}),
            "step 2: the norm of the gradient is ",
            2,
            id="a batch of fine-tuning has no finite gradient",
        ),
        pytest.param(
            # No group of the batch before has signal.
            *("grpo", CAPITALS, faulty("NotFinite", batch=3), {}),
            "step 6: the norm of the gradient is ",
            6,
            id="a batch of reinforcement has no finite gradient",
        ),
    ],
)
def test_a_fault_ends_a_run_in_one_sentence_and_the_steps_before_are_saved(
    stage, reward, callback, options, sentence, step, run, whole, tmp_path
):
    one = run(stage, tmp_path)
    args = one.args(reward, callback, **options)
    with Started(args, tmp_path) as started:
        code, told = started.end()
    assert code == 1 and "Traceback" not in told, told
    (line,) = (line for line in told.splitlines() if line.startswith("reasonrft: "))
    for part in pieces(sentence):
        assert part in line
    assert f"; step {step} is saved, and --ckpt_path last goes on from it" in line
    assert one.saved_step() == step
    (tmp_path / "mended").touch()
    with Started([*args, "--ckpt_path", "last"], tmp_path) as started:
        code, told = started.end()
    assert code == 0, told
    assert same(one.weights(), whole(stage).weights())


def pieces(sentence: str) -> list[str]:
    """A sentence without what differs from run to run."""
    return sentence.replace("{id}", "\n").split("\n")


@pytest.mark.parametrize("rank", [0, 1])
def test_when_a_rank_dies_the_other_ends_in_a_sentence(rank, run, tmp_path):
    one = run("grpo", tmp_path)
    callback = faulty("Signalled", number=int(signal.SIGKILL), batch=1, rank=rank)
    args = one.args(callback=callback) + [
        *["--trainer.devices=2", "--trainer.strategy=ddp", "--data.batch_size=1"]
    ]
    with Started(args, tmp_path) as started:
        code, told = started.end()  # when the other rank has ended too
    assert code == (1 if rank else -signal.SIGKILL), told
    assert "Traceback" not in told
    ended = ["another process that trains with this one has ended"]
    ended += ["process 1 of this run was ended by SIGKILL" if rank else "the first process"]
    assert any(f"reasonrft: {sentence}" in told for sentence in ended)
