import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reasonrft.errors import BadInput, Stopped
from reasonrft.problems import Problem
from reasonrft.rewards import AccuracyReward, FormatReward, LengthReward, Reward
from reasonrft.rewards.compute_rewards import (
    compute_rewards,
    right_completions,
    weighted_sum,
)
from tests.conftest import problem
from tests.starting import Forked


@dataclass
class Written:
    """What a rollout is to rewards."""

    texts: list[list[str]]
    lengths: Tensor
    problems: list[Problem]


PROBLEMS = [Problem(f"p{number}", "general", (), "How many?", "3") for number in (1, 2)]
WRITTEN = Written([["a", "bb"], ["ccc", ""]], torch.tensor([[1, 2], [3, 1]]), PROBLEMS)


class Given(Reward):
    """Rewards that do not depend on anything, as somebody's class may return them."""

    def __init__(self, values: object, weight: float = 1.0) -> None:
        super().__init__(weight)
        self.values = values

    def __call__(self, completions, problems, step=0):
        return self.values


def test_rewards_are_added_up_with_their_weights():
    rewards = {"whole": Given([[1, 0], [2, True]]), "half": Given([[1.0, 2.0], [3.0, 4.0]], 0.5)}
    values = compute_rewards(rewards, WRITTEN)
    assert values["whole"].dtype == torch.float32  # so that those of another try fit in
    assert weighted_sum(values, rewards).tolist() == [[1.5, 1.0], [3.5, 3.0]]


@pytest.mark.parametrize("fault", [None, float("nan"), float("inf"), 1e39, 10**400, "good"])
def test_what_is_no_finite_number_is_named(fault):
    rewards = {"fine": Given([[0, 1], [1, 0]]), "own": Given([[0, 1], [1, fault]])}
    with pytest.raises(BadInput, match=r"reward 'own' is no finite number on problem 'p2'"):
        compute_rewards(rewards, WRITTEN)


@pytest.mark.parametrize("values", [[0], [0, 1, 2], [[0], [1]]])
def test_each_completion_has_one_reward(values):
    message = r"reward 'own' gives 2 completions of problem 'p1' rewards of shape"
    with pytest.raises(BadInput, match=message):
        compute_rewards({"own": Given([values, [0, 1]])}, WRITTEN)


@pytest.mark.parametrize("values", [None, 1.0, [[0, 1]], "12"])
def test_each_problem_has_its_rewards(values):
    with pytest.raises(BadInput, match=r"reward 'own' (must return one list|is no finite number)"):
        compute_rewards({"own": Given(values)}, WRITTEN)


class Tokens(Reward):
    def reward(self, completion, problem):
        return completion.tokens


def test_rewards_see_how_many_tokens_a_completion_took():
    assert compute_rewards({"own": Tokens()}, WRITTEN)["own"].tolist() == [[1, 2], [3, 1]]
    right = ["<answer>3</answer>"] * 2 + ["<answer>4</answer>"]
    written = Written([right], torch.tensor([[2, 12, 7]]), PROBLEMS[:1])
    found = compute_rewards({"own": LengthReward(0, 1.0, unit="tokens")}, written)
    assert found["own"].tolist() == [[0.5, -0.5, 0.0]]  # wrong ones gain nothing


def test_a_token_count_that_is_missing_is_one_sentence():
    with pytest.raises(BadInput, match="without its number of tokens"):
        Tokens()([["a"]], [problem("3")])


class Meeting(Reward):
    """Waits until another reward is at work too."""

    def __init__(self, barrier: threading.Barrier) -> None:
        super().__init__()
        self.barrier = barrier

    def reward_group(self, completions, problem, step):
        self.barrier.wait(timeout=30)
        return [0.0] * len(completions)


def test_rewards_run_side_by_side():
    barrier = threading.Barrier(2)  # broken, and an error, if one waited for the other
    values = compute_rewards({"a": Meeting(barrier), "b": Meeting(barrier)}, WRITTEN)
    assert set(values) == {"a", "b"}


class Sleeping(Reward):
    def reward_group(self, completions, problem, step):
        if problem.id == "p2":
            time.sleep(3600)
        return [0.0] * len(completions)


class Failing(Reward):
    def reward(self, completion, problem):
        if problem.id == "p2":
            raise RuntimeError("boom\nand more")
        return 0.0


def test_a_reward_that_takes_too_long_is_named():
    message = r"^reward 'slow' on problem 'p2' has taken more than its 0.5 seconds$"
    with pytest.raises(BadInput, match=message):
        compute_rewards({"slow": Sleeping(), "fine": FormatReward()}, WRITTEN, time_limit=0.5)


def test_a_reward_that_fails_is_named_with_the_line_that_failed():
    line = next(
        number
        for number, text in enumerate(Path(__file__).read_text().splitlines(), 1)
        if 'RuntimeError("boom' in text
    )
    with pytest.raises(BadInput) as caught:
        compute_rewards({"slow": Sleeping(), "own": Failing()}, WRITTEN)
    assert str(caught.value) == (
        "reward 'own' on problem 'p2' failed: RuntimeError: boom and more "
        f"({__file__}, line {line})"
    )


def test_a_reward_that_leaves_is_named():
    class Leaving(Reward):
        def reward(self, completion, problem):
            sys.exit(3)

    with pytest.raises(BadInput, match=r"reward 'own' on problem 'p1' failed: SystemExit: 3"):
        compute_rewards({"own": Leaving()}, WRITTEN)


def test_asked_to_stop_the_wait_ends():
    with pytest.raises(Stopped):
        compute_rewards({"slow": Sleeping()}, WRITTEN, stopped=lambda: True)


class Asleep(Reward):
    """Never comes back, and says when it is asked."""

    def __call__(self, completions, problems, step=0):
        print("asleep", flush=True)
        time.sleep(3600)


def wait_for_a_reward(handled: bool) -> None:
    asked: list[int] = []
    if handled:
        signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    else:  # shells let processes in the background ignore it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        compute_rewards({"slow": Asleep()}, WRITTEN, stopped=lambda: bool(asked))
    except (Stopped, KeyboardInterrupt):
        raise SystemExit(143) from None


@pytest.mark.parametrize(("sent", "handled"), [(signal.SIGTERM, True), (signal.SIGINT, False)])
def test_a_signal_ends_the_process_whatever_a_reward_does(sent: int, handled: bool, tmp_path):
    with Forked(tmp_path, wait_for_a_reward, handled) as waiting:
        waiting.wait_for(lambda: waiting.has_printed("asleep\n"))
        waiting.send(sent)
        code, told = waiting.end(seconds=60)
    assert code == 143, told


def test_a_partial_reward_and_an_accuracy_are_told_apart():
    gold = problem("change_color(2, red), change_shape(1, cube)", "transformation")
    half, whole = "<answer>change_color(2, red)</answer>", f"<answer>{gold.answer}</answer>"
    written = Written([[half, whole]], torch.tensor([[9, 19]]), [gold])
    rewards: dict[str, Reward] = {"accuracy": AccuracyReward(), "format": FormatReward()}
    values = compute_rewards(rewards, written)
    assert values["accuracy"].tolist() == [[0.5, 1.0]]
    right = right_completions(values, rewards)
    assert right is not None
    assert right.tolist() == [[False, True]]
    exact = compute_rewards({"accuracy": AccuracyReward(credit="exact")}, written)
    assert exact["accuracy"].tolist() == [[0.0, 1.0]]
    assert right_completions({"format": values["format"]}, rewards) is None


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_a_weight_is_a_finite_number(weight: float):
    with pytest.raises(BadInput, match="weight of FormatReward must be a finite number"):
        FormatReward(weight=weight)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": float("nan")}, "scale must be a finite number"),
        ({"start_step": -1}, "start_step must be 0 or more"),
    ],
)
def test_ranges_of_the_length_reward(options: dict, message: str):
    with pytest.raises(BadInput, match=message):
        LengthReward(**options)


def test_exact_credit_is_no_profile_of_the_reference():
    with pytest.raises(BadInput, match="needs profile 'robust', not 'paper'"):
        AccuracyReward("paper", credit="exact")


def test_a_reward_without_weight_counts_once():
    class Careless(Reward):
        def __init__(self) -> None:
            pass

        def reward(self, completion: str, problem: Problem) -> float:
            return 1.0

    rewards: dict[str, Reward] = {"own": Careless()}
    summed: Sequence = weighted_sum(compute_rewards(rewards, WRITTEN), rewards).tolist()
    assert summed == [[1.0, 1.0], [1.0, 1.0]]
