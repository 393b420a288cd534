"""Signals that end a run at once, whatever it does."""

import signal

import pytest

from tests.cli.ending import CAPITALS, Run
from tests.starting import Started

pytestmark = pytest.mark.filterwarnings("ignore")
HANGING = {"class_path": "tests.cli.faulty.Hanging"}


@pytest.fixture
def one(family_folder, tmp_path, tmp_path_factory) -> Run:
    data = tmp_path_factory.getbasetemp() / "drawn-for-ending"
    return Run("grpo", tmp_path, family_folder("qwen3-vl"), data)


def test_sigint_ends_a_run_whose_reward_hangs(one, tmp_path):
    with Started(one.args(HANGING), tmp_path) as started:
        started.wait_for((tmp_path / "asked").exists)
        started.send(signal.SIGINT)
        code, told = started.end()
    assert code == 130 and "reasonrft: ended by SIGINT" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_before_the_first_step_ends_a_run_at_once(number, one, tmp_path):
    arguments = {"number": int(number), "batch": -1}
    callback = {"class_path": "tests.cli.faulty.Signalled", "init_args": arguments}
    with Started(one.args(CAPITALS, callback), tmp_path) as started:
        code, told = started.end()
    assert code == (130 if number == signal.SIGINT else 143)
    assert f"reasonrft: ended by {number.name}\n" in told and "Traceback" not in told
    assert not (one.folder / "policy").exists()
