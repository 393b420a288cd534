"""Calls begin while completions are sampled, and change nothing of them."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from reasonrft.errors import BadInput
from reasonrft.rewards import EndpointReward
from reasonrft.rollout import LocalEngine, NoisyRollout, Rollout, Sampling
from tests.evaluation.serving import Answer, serving
from tests.modules.fitting import Capitals, weights
from tests.modules.test_grpo import fit, module
from tests.rewards.judging import Vowels, count_vowels, endpoint

pytestmark = pytest.mark.filterwarnings("ignore")
SAMPLING = Sampling(max_tokens=12)


class Watched(LocalEngine):
    """Does something between the last token and the end of the rollout."""

    def __init__(self, before_the_end: Any) -> None:
        super().__init__()
        self.before_the_end = before_the_end

    def generate(self, *args: Any, **options: Any) -> Rollout:
        rollout = super().generate(*args, **options)
        self.before_the_end(rollout)
        return rollout


@pytest.fixture(scope="module")
def folder(family_folder) -> Path:
    return family_folder("qwen3-vl")


def train(folder: Path, reward: EndpointReward, **options: Any) -> Any:
    own = module(folder, rewards={"judge": reward}, sampling=SAMPLING, **options)
    # Every eighth token or so ends a completion, so that most end before the last.
    own.policy.stop_ids = frozenset(range(0, 256, 8))
    return own


def ended_early(record: Any) -> int:
    """Completions that ended by themselves before the last one did."""
    return int((record.stopped & (record.lengths < record.lengths.max())).sum())


def test_replies_are_there_when_the_rollout_ends(folder, tmp_path, capsys):
    with serving(count_vowels) as server:
        reward = Vowels(endpoint(server, tmp_path, prices=(1.0, 1.0)))

        def wait(rollout: Rollout) -> None:
            for asked in list(reward._asked.values()):  # without early calls there are none
                asked.future.result(30)

        own = fit(train(folder, reward, engine=Watched(wait)), steps=1)
    record = own.step_record
    early = ended_early(record)
    assert early > 8
    assert record.metrics["train/judge/early_calls"] == early
    assert record.metrics["train/judge/early_replies"] == early
    pairs = zip(record.problems, record.texts, strict=True)
    different = {(problem.question, text) for problem, group in pairs for text in group}
    assert record.metrics["train/judge/calls"] == len(server.bodies) == len(different)
    assert record.metrics["train/judge/failures"] == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("judge: ")]
    calls = len(server.bodies)
    assert line.startswith(f"judge: {calls} calls to judge at {server.url}/chat/completions, ")
    # A reply is of 1000 + 10 tokens.
    tokens = f"{1000 * calls:,} + {10 * calls:,} tokens"
    assert line.endswith(f"{tokens}, cost {calls * 1010 / 1e6:.4f}")


def test_replies_that_are_late_are_waited_for(folder, tmp_path):
    begun = threading.Event()

    def late(number: int, body: dict[str, Any]) -> Answer:
        begun.set()
        while not reward.work["early_calls"]:  # counted when the rollout has ended
            time.sleep(0.01)
        return count_vowels(number, body)

    def end(rollout: Rollout) -> None:
        assert begun.wait(60)  # a request came before the rollout ended

    with serving(late) as server:
        reward = Vowels(endpoint(server, tmp_path, timeout=60.0))
        own = fit(train(folder, reward, engine=Watched(end)), steps=1)
    metrics = own.step_record.metrics
    assert metrics["train/judge/early_calls"] == ended_early(own.step_record) > 8
    assert metrics["train/judge/early_replies"] == metrics["train/judge/failures"] == 0
    assert metrics["train/judge/calls"] == len(server.bodies)


def test_what_is_sampled_and_learned_is_the_same(folder, tmp_path):
    """Half of each group answers a distorted image, and is asked about in the same way."""

    class Late(Vowels):
        begins_early = False

    learned, texts = [], []
    for kind in (Vowels, Late):
        with serving(count_vowels) as server:
            client = endpoint(server, tmp_path / kind.__name__)
            own = train(folder, kind(client), lr=5.0, noisy_rollout=NoisyRollout())
            fit(own, steps=2)
        learned.append(weights(own))
        texts.append(own.step_record.texts)
        early = own.step_record.metrics["train/judge/early_calls"]
        assert (early > 0) == (kind is Vowels)
    assert texts[0] == texts[1]
    assert all(torch.equal(value, learned[1][name]) for name, value in learned[0].items())


def test_without_a_reward_that_waits_nobody_is_told(folder):
    listeners: list[object] = []

    class Noting(LocalEngine):
        def generate(self, *args: Any, **options: Any) -> Rollout:
            listeners.append(self.on_completion)
            return super().generate(*args, **options)

    fit(module(folder, rewards={"capitals": Capitals()}, engine=Noting()), steps=1)
    assert listeners == [None]


def test_an_endpoint_that_is_down_ends_the_run_before_the_policy_moves(folder, tmp_path):
    with serving(count_vowels) as server:
        client = endpoint(server, tmp_path)
    own = train(folder, Vowels(client, stop_after=5))
    own.configure_model()
    before = weights(own)
    message = r"reward 'judge' on problem .*: 5 calls have failed one after"
    with pytest.raises(BadInput, match=message):
        fit(own)
    assert all(torch.equal(before[name], value) for name, value in weights(own).items())
