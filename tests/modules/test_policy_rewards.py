"""Rewards that see the policy, in training: when they are computed, with which weights, at what
cost."""

from pathlib import Path
from typing import Any

import pytest
import torch

from reasonrft.datamodules import CountingDataModule
from reasonrft.errors import BadInput
from reasonrft.modules import GRPOModule
from reasonrft.modules.step_metrics import TRAINED
from reasonrft.policy import Lora, Policy
from reasonrft.rewards import PolicyReward, ReasoningReflectionReward
from reasonrft.rewards.policy_reward import Continuation
from reasonrft.rollout import NoisyRollout, Sampling
from reasonrft.teachers import PolicyTeacher
from tests.datamodules.reading import MadeUp, quiet
from tests.modules.fitting import Capitals, difference, weights
from tests.modules.test_grpo import fit, module
from tests.modules.test_rollout_ahead import PROBLEMS, Run
from tests.rollout.apart import ApartEngine

pytestmark = pytest.mark.filterwarnings("ignore")
R3 = {"r3": ReasoningReflectionReward()}


@pytest.fixture(scope="module")
def folder(family_folder) -> Path:
    return family_folder("qwen3-vl")


class Own(PolicyReward):
    """The mean log-prob of the completion itself, by the policy of now."""

    def __init__(self, silent: bool = False) -> None:
        super().__init__()
        self.silent = silent
        self.given: list[list[float]] = []
        self.sampled: list[list[float]] = []

    def reward_rollout(self, rollout: Any, scorer: Any, step: int) -> list[torch.Tensor]:
        empty = torch.zeros(0, dtype=torch.long)
        asked = [[Continuation(empty, c.ids) for c in own] for own in rollout.completions]
        found = scorer.log_probs(rollout.batch, asked)
        self.given += [[v.mean().item() for v in own] for own in found]
        self.sampled += [[c.log_probs.mean().item() for c in own] for own in rollout.completions]
        if self.silent:
            return [torch.zeros(len(own)) for own in found]
        return [torch.stack([values.mean() for values in own]) for own in found]


def apart(own: Own) -> torch.Tensor:  # (P x steps,)
    """How far the policy that rewards is from the one that sampled."""
    return (torch.tensor(own.given) - torch.tensor(own.sampled)).abs().amax(1)


def test_the_policy_that_sampled_rewards(folder):
    own = Own()
    one = fit(module(folder, {"own": own}, lr=5.0, micro_batch_tokens=150), steps=2, batch_size=4)
    assert apart(own).max() < 1e-5 and len(own.given) == 8
    assert one.step_record.rewards["own"].tolist() == [
        pytest.approx(values) for values in own.given[4:]
    ]


def test_ahead_the_policy_that_learns_rewards(folder):
    own, engine = Own(), ApartEngine()
    one = module(folder, {"capitals": Capitals(), "own": own}, engine=engine, async_steps=1, lr=5.0)
    fit(one, steps=3, batch_size=4)
    assert one.step_record.metrics["train/staleness"] == 1
    # The first rollout is the policy's own; the others are by weights of a step before.
    first, *later = apart(own).split(4)
    assert first.max() < 1e-5 and len(later) == 2
    assert all(step.max() > 1e-4 for step in later)


def test_groups_that_it_rewards_alike_are_sampled_again(folder):
    own = Own(silent=True)
    fit(module(folder, {"own": own}, resample=2), steps=1)
    assert len(own.given) == 3 * 8
    message = "need all rewards while completions are sampled"
    with pytest.raises(BadInput, match=message):
        module(folder, R3, engine=ApartEngine(), async_steps=1, dynamic_sampling=1)


def test_an_adapter_learns_from_chains_of_distorted_images(folder):
    own, noisy = Own(), NoisyRollout(sharpness=0.0)
    policy = Policy(str(folder), Lora(rank=2))
    one = module(folder, {**R3, "own": own}, policy=policy, noisy_rollout=noisy, lr=5.0)
    one.configure_model()
    before = weights(one)
    fit(one, steps=1)
    assert difference(before, weights(one)) > 0
    # Prompts are the clean ones: the last two of four were sampled from other images.
    gaps = (torch.tensor(own.given) - torch.tensor(own.sampled)).abs()
    assert gaps[:, :2].max() < 1e-5 < 1e-4 < gaps[:, 2:].max()


def test_a_step_costs_half_as_much_again_at_most():
    """The model that ships, whose tokenizer has tags as tokens; completions are cut at 48."""
    scored, encoded = {}, {}
    for weight in (None, 0.0):
        r3 = {} if weight is None else {"r3": ReasoningReflectionReward(weight=weight)}
        one = GRPOModule(
            Policy("tiny-counting"),
            {"capitals": Capitals(), **r3},
            4,
            Sampling(max_tokens=48),
            optimizer=lambda params: torch.optim.SGD(params, 0.0),
        )
        # All groups are learned from, as those are that R3 itself tells apart.
        one.advantages = lambda rewards: torch.ones_like(rewards)  # type: ignore[method-assign]
        fit(one, steps=1)
        scored[weight] = one.step_metrics.compute_tokens
        encoded[weight] = one.policy.images_encoded
        assert scored[None] == TRAINED * (
            sum(prompt_tokens(one)) + int(one.step_record.lengths.sum())
        )
    assert encoded[0.0] == encoded[None]
    assert 1.2 * scored[None] < scored[0.0] <= 1.5 * scored[None]


def prompt_tokens(one: GRPOModule) -> list[int]:
    encoder = one.policy.encoder
    texts = CountingDataModule(MadeUp(PROBLEMS)).common_task
    return [encoder.length(problem, texts.prompt(problem)) for problem in one.step_record.problems]


def test_a_resumed_run_with_both_signals_goes_on_to_the_same_bits(folder, tmp_path):
    def start(ckpt: Path | None = None) -> tuple[GRPOModule, Run]:
        one = module(
            folder,
            {"r3": ReasoningReflectionReward()},
            teacher=PolicyTeacher(Policy(str(folder)), weight=0.5),
            lr=1.0,
            group_size=2,
            updates=2,
        )
        run = Run(tmp_path / "saved.ckpt" if ckpt is None else None)
        trainer = quiet(callbacks=[run], max_steps=8, max_epochs=-1)
        trainer.fit(one, CountingDataModule(MadeUp(PROBLEMS), batch_size=4), ckpt_path=ckpt)
        return one, run

    whole, run = start()
    rest, late = start(tmp_path / "saved.ckpt")
    assert [one.texts for one in late.records] == [one.texts for one in run.records[3:]]
    assert run.metric("reward/r3")[3:] == late.metric("reward/r3")
    first, *others = run.metric("teacher_kl")
    assert abs(first) < 1e-6 and others[2:] == late.metric("teacher_kl") and others[-1] != 0
    assert difference(weights(whole), weights(rest)) == 0
