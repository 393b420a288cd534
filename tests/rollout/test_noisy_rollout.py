import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reasonrft.errors import BadInput
from reasonrft.losses import GRPOLoss
from reasonrft.modules import micro_batches
from reasonrft.modules.step_metrics import StepMetrics
from reasonrft.policy import Policy, PromptBatch, score
from reasonrft.problems import Problem
from reasonrft.rollout import LocalEngine, NoisyRollout, Rollout, Sampling
from reasonrft.worlds import BlackPatches, SensorNoise
from reasonrft.worlds.drawing.light import Effect
from tests.modules.test_grpo import fit, module
from tests.policy.problems import ragged
from tests.rollout.apart import ApartEngine

pytestmark = pytest.mark.filterwarnings("ignore")
SAMPLING = Sampling(max_tokens=5)
STEADY: dict[str, Any] = {"sharpness": 0.0}  # at half of its strength


@pytest.fixture(scope="module")
def policy(family_folder) -> Policy:
    policy = Policy(str(family_folder("qwen3-vl")))
    policy.load()
    return policy


def sample(policy: Policy, noisy: NoisyRollout, batch: PromptBatch, size: int = 4, step: int = 0):
    """A rollout, and the batches that the engine was asked for."""
    engine, asked = LocalEngine(), []
    engine.sync(policy, step)

    def generate(prompts: PromptBatch, count: int) -> Rollout:
        asked.append((prompts, count))
        return engine.generate(prompts, count, SAMPLING, "0.0", step)

    return noisy.generate(generate, policy.encoder, batch, size, "0.0", step), asked


def ids(rollout: Rollout) -> list[list[list[int]]]:
    return [[completion.ids.tolist() for completion in group] for group in rollout.completions]


def test_the_schedule_by_hand():
    noisy = NoisyRollout()  # the paper's: 60 steps, midpoint 40, sharpness 30
    assert noisy.strength(40) == 0.5
    # x = 30 (44 - 40) / 60 = 2
    assert noisy.strength(44) == pytest.approx(1 - 1 / (1 + math.exp(-2)))
    assert noisy.strength(0) == pytest.approx(1, abs=1e-8)
    assert noisy.strength(10**9) == 0
    assert NoisyRollout(**STEADY).strength(7) == 0.5


@pytest.mark.parametrize(("share", "distorted"), [(0.5, 2), (0.25, 1)])
def test_part_of_each_group_answers_a_distorted_image(share, distorted, policy):
    batch = ragged(policy)
    rollout, asked = sample(policy, NoisyRollout(share=share, **STEADY), batch)
    # Where both kinds are as many, they are decoded together.
    assert [count for _, count in asked] == ([2] if distorted == 2 else [3, 1])
    assert all(own is one for own, one in zip(rollout.batch.prompts, batch.prompts, strict=True))
    last = [False] * (4 - distorted) + [True] * distorted
    # The last problem has no image that could be distorted.
    assert rollout.distorted.tolist() == [last, last, last, [False] * 4]
    engine = LocalEngine()
    engine.sync(policy, 0)
    clean = engine.generate(batch, 4 - distorted, SAMPLING, "0.0", 0)
    assert [group[: 4 - distorted] for group in ids(rollout)] == ids(clean)
    assert [group[: 4 - distorted] for group in rollout.texts] == clean.texts
    shown = PromptBatch(asked[-1][0].prompts[-4:])
    noisy = engine.generate(shown, distorted, SAMPLING, "0.0", 0)
    assert [group[4 - distorted :] for group in ids(rollout)] == ids(noisy)
    assert rollout.work["decoded_tokens"] == rollout.lengths.sum()


def test_a_distorted_image_is_half_way_to_what_the_effect_makes_of_it(policy):
    batch = ragged(policy).select([1])
    effect = SensorNoise((0.5, 0.5))
    _, asked = sample(policy, NoisyRollout(effect, **STEADY), batch)
    rng = random.Random("distortion/0.0/0/p1")
    images = batch.problems[0].open_images()
    for own, shown in zip(images, asked[0][0].problems[1].open_images(), strict=True):
        noise = effect(np.asarray(own), rng).astype(float)
        assert np.abs(np.asarray(shown) - (np.asarray(own) + noise) / 2).max() <= 0.5


def test_the_same_seed_step_and_problem_are_distorted_alike_whatever_else_is_there(policy):
    batch, noisy = ragged(policy), NoisyRollout(**STEADY)
    whole, ((asked, _),) = sample(policy, noisy, batch)
    alone, _ = sample(policy, noisy, batch.select([1]))
    assert ids(alone) == ids(whole)[1:2]
    _, ((later, _),) = sample(policy, noisy, batch, step=1)
    assert later.problems[4].images != asked.problems[4].images


def test_distorted_images_are_not_kept_over_the_run(policy):
    batch, cache = ragged(policy), policy.image_features
    policy.encode_images(batch.prompts)
    entries, encoded = dict(cache._entries), policy.images_encoded
    rollout, asked = sample(policy, NoisyRollout(**STEADY), batch)
    assert rollout.work["images_encoded"] == policy.images_encoded - encoded == 1 + 2 + 3
    assert dict(cache._entries) == entries
    assert len(cache._transient) >= 3
    del rollout, asked
    assert len(cache._transient) == 0


def test_a_distortion_that_changes_no_byte_is_left_out(policy):
    rollout, asked = sample(policy, NoisyRollout(midpoint=0, steps=1), ragged(policy), step=1)
    assert [count for _, count in asked] == [4]
    assert not rollout.distorted.any()


def test_importance_weights_do_not_correct_for_the_distortion(policy):
    noisy = NoisyRollout(BlackPatches(1.0), steps=1, midpoint=9)
    rollout, _ = sample(policy, noisy, ragged(policy))
    ones = torch.ones(4, 4)
    (micro_batch,) = micro_batches.split(rollout, ones, ones, range(4), 10_000, True)
    scores = score(policy, micro_batch.groups)
    inputs = micro_batch.inputs(scores.log_probs)
    apart = (micro_batch.rollout_log_probs - scores.log_probs).abs()
    assert apart[micro_batch.distorted].max() > 1e-2  # of another image
    assert torch.equal(inputs.rollout[micro_batch.distorted], inputs.old[micro_batch.distorted])
    metrics = StepMetrics()
    metrics.add(micro_batch, scores, loss := GRPOLoss()(inputs))
    assert (loss.importance.weights[micro_batch.distorted] == 1).all()
    sums = metrics.sums()
    assert sums["compared"] == (~micro_batch.distorted).sum() < sums["tokens"]
    assert sums["difference_max"] < 1e-5
    assert sums["importance"] == pytest.approx(sums["compared"], abs=1e-3)


def test_training_with_an_engine_that_runs_apart(family_folder):
    one = module(
        family_folder("qwen3-vl"),
        engine=ApartEngine(),
        noisy_rollout=NoisyRollout(share=0.25, **STEADY),
        async_steps=1,
    )
    metrics = fit(one).step_record.metrics
    assert metrics["train/staleness"] == 1 and metrics["train/distortion"] == 0.5
    total = one.step_record.total
    assert metrics["train/distorted_reward"] == pytest.approx(total[:, 3].mean().item())


class Cropping(Effect):
    def __call__(self, pixels: np.ndarray, rng: random.Random) -> np.ndarray:
        return pixels[1:]


def test_faults_are_one_sentence(policy):
    with pytest.raises(BadInput, match=r"Cropping makes an image of shape \[41, 56, 3\] of one"):
        sample(policy, NoisyRollout(Cropping(), **STEADY), ragged(policy))
    prompt = ragged(policy).prompts[0]
    gone = Problem("p7", "general", (Path("gone.png"),), "?", "1")
    prompt = type(prompt)(gone, prompt.text, prompt.inputs)
    with pytest.raises(BadInput, match=r"problem 'p7': no such file: gone\.png"):
        sample(policy, NoisyRollout(**STEADY), PromptBatch([prompt]))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"share": 1.0}, "share must be above 0 and below 1, not 1.0"),
        ({"share": 0.1}, "share of 0.1 is 0 of group_size 4: there must be some"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"midpoint": float("nan")}, "midpoint a number"),
    ],
)
def test_what_makes_no_sense_is_refused(options, sentence, family_folder):
    with pytest.raises(BadInput, match=sentence):
        module(family_folder("qwen3-vl"), noisy_rollout=NoisyRollout(**options))
