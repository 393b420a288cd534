"""Rewards that fail, hang or pay in part, in a training run."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
import torch

from reasonrft.errors import BadInput, Stopped
from reasonrft.problems import Problem
from reasonrft.rewards import Reward
from tests.modules.fitting import Capitals, weights
from tests.modules.test_grpo import fit, module


class Raising(Reward):
    def reward(self, completion: str, problem: Problem) -> float:
        raise RuntimeError("boom")


class Sleeping(Reward):
    def __init__(self) -> None:
        super().__init__()
        self.asleep = threading.Event()

    def reward(self, completion: str, problem: Problem) -> float:
        self.asleep.set()
        time.sleep(3600)
        return 0.0


class Halves(Reward):
    """1 and 1/2 in turns, where 1 is what a right answer gets."""

    marks_right = True

    def reward_group(self, completions, problem, step):
        return [1.0 if place % 2 else 0.5 for place in range(len(completions))]


@pytest.fixture(scope="module")
def folder(family_folder) -> Path:
    return family_folder("qwen3-vl")


def stays_as_it_was(folder: Path, reward: Reward, error: type[BaseException], **options) -> str:
    """The message with which training ends, before any update."""
    one = module(folder, rewards={"fine": Capitals(), "own": reward}, **options)
    one.configure_model()
    before = weights(one)
    with pytest.raises(error) as caught:
        fit(one)
    after = weights(one)
    assert all(torch.equal(before[name], after[name]) for name in before)
    return str(caught.value)


def test_a_reward_that_raises_stops_before_the_policy_moves(folder):
    message = stays_as_it_was(folder, Raising(), BadInput)
    assert message.startswith("reward 'own' on problem 'p")
    assert "failed: RuntimeError: boom (" in message
    assert Path(__file__).name in message
    assert "\n" not in message


def test_a_reward_that_hangs_stops_before_the_policy_moves(folder):
    message = stays_as_it_was(folder, Sleeping(), BadInput, reward_seconds=0.5)
    assert message.endswith("has taken more than its 0.5 seconds")


def test_sigterm_ends_the_wait_for_a_reward(folder):
    reward = Sleeping()

    def terminate() -> None:
        if reward.asleep.wait(60):
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=terminate, daemon=True).start()
    stays_as_it_was(folder, reward, Stopped)


def test_partial_rewards_are_logged_beside_the_accuracy(folder):
    metrics = fit(module(folder, rewards={"accuracy": Halves()}), steps=1).step_record.metrics
    assert metrics["train/reward/accuracy"] == 0.75
    assert metrics["train/accuracy"] == 0.5
    metrics = fit(module(folder), steps=1).step_record.metrics
    assert "train/accuracy" not in metrics  # no reward there tells right from wrong


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_time_limit_is_a_positive_number(folder, seconds):
    with pytest.raises(BadInput, match="reward_seconds must be a positive number"):
        module(folder, reward_seconds=seconds)
