"""The perception loss in training: what is scored how often, and to which gradient."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from reasonrft.datamodules import CountingDataModule
from reasonrft.losses import PerceptionLoss
from reasonrft.modules import GRPOModule
from reasonrft.modules.micro_batches import altered, split
from reasonrft.modules.step_metrics import StepMetrics
from reasonrft.policy import Group, Policy, score
from reasonrft.rollout import NoisyRollout, Sampling
from reasonrft.worlds import BlackPatches
from tests.datamodules.reading import MadeUp, quiet
from tests.modules.fitting import Capitals, difference, weights
from tests.modules.test_grpo import fit, module
from tests.modules.test_rollout_ahead import PROBLEMS, Run
from tests.policy.problems import generate, ragged

pytestmark = pytest.mark.filterwarnings("ignore")
MASK = BlackPatches(0.6, 7)


@pytest.fixture(scope="module")
def folder(family_folder) -> Path:
    return family_folder("qwen3-vl")


def by_hand(policy: Policy, prompt: Any, seed: str) -> Any:
    """A prompt whose images are masked one after the other."""
    rng = random.Random(f"{seed}/{prompt.problem.id}")
    images = []
    for image in prompt.problem.open_images():
        pixels = np.array(image)
        height, width = pixels.shape[0] // 7, pixels.shape[1] // 7
        for patch in rng.sample(range(height * width), round(0.6 * height * width)):
            row, column = divmod(patch, width)
            pixels[7 * row : 7 * row + 7, 7 * column : 7 * column + 7] = 0
        images.append(Image.fromarray(pixels))
    return policy.encoder.with_images(prompt, images)


def gradients_of(policy: Policy, total: torch.Tensor) -> dict[str, torch.Tensor]:
    policy.zero_grad()
    total.backward()
    named = policy.named_parameters()
    return {name: p.grad.clone() for name, p in named if p.grad is not None}


@pytest.mark.parametrize(
    "perception",
    [
        PerceptionLoss(0.5, MASK, entropy=0.1),
        PerceptionLoss(0.5, MASK, "both", entropy=0.1, masked_entropy=0.2),
    ],
    ids=["image", "both"],
)
def test_gradients_equal_those_of_a_plain_implementation(perception, folder):
    policy = Policy(str(folder))
    policy.load()
    one = GRPOModule(policy, {"capitals": Capitals()}, 2, perception=perception)
    one.step_metrics = StepMetrics()
    rollout = generate(policy, ragged(policy), 2, Sampling(max_tokens=5))
    advantages, tokens = torch.tensor([[1.0, -1.0]] * 4), torch.full((4, 2), 0.1)
    micro_batches = split(rollout, advantages, tokens, range(4), 150)
    assert len(micro_batches) > 1
    one.add_masked_log_probs(perception, micro_batches)
    total, plain = torch.zeros(()), torch.zeros(())
    for micro_batch in micro_batches:
        scores = score(policy, micro_batch.groups)
        loss = one.loss(micro_batch.inputs(scores.log_probs))
        total = total + one.add_perception(perception, loss, micro_batch, scores).total
    # A forward pass without gradient, or one with the two that backward is as much as.
    passes = 3 if perception.gradient == "both" else 1
    assert one.step_metrics.compute_tokens == passes * sum(m.tokens for m in micro_batches)
    for prompt, group in zip(rollout.batch.prompts, rollout.completions, strict=True):
        for completion, advantage in zip(group, (1.0, -1.0), strict=True):
            own, masked = (
                score(policy, [Group(asked, [completion.ids])], shared=False).log_probs
                for asked in (prompt, by_hand(policy, prompt, "mask/0/0"))
            )
            if perception.gradient == "image":
                masked = masked.detach()
            kl = (masked - own).exp() - (masked - own) - 1
            tokenwise = -advantage * own - 0.5 * kl - 0.1 * own
            plain = plain + 0.1 * (tokenwise - perception.masked_entropy * masked).sum()
    shared, expected = (gradients_of(policy, value) for value in (total, plain))
    scale = max(value.abs().max() for value in expected.values())
    assert shared.keys() == expected.keys() and scale > 1e-3
    for name, value in expected.items():
        assert (shared[name] - value).norm() <= 1e-4 * value.norm() + 1e-6 * scale, name


@pytest.mark.parametrize(
    ("perception", "without", "with_gradient", "images"),
    [
        (None, 0, 2, 0),
        (PerceptionLoss(mask=MASK), 1, 2, 8),
        (PerceptionLoss(mask=MASK, gradient="both"), 0, 4, 8),
    ],
    ids=["no", "image", "both"],
)
def test_passes_and_images_of_a_step(perception, without, with_gradient, images, folder):
    one = module(folder, group_size=2, updates=2, perception=perception)
    one.configure_model()
    passes: list[bool] = []

    def note(model: Any, args: Any, kwargs: Any) -> None:
        if not kwargs["use_cache"]:  # scoring
            passes.append(torch.is_grad_enabled())

    def begin(*_: Any) -> None:
        passes.clear()
        encoded.append(one.policy.images_encoded)

    encoded: list[int] = []
    one.policy.model.model.register_forward_pre_hook(note, with_kwargs=True)
    one.on_train_batch_start = begin  # the first step also checks the policy
    fit(one, steps=2)
    assert (passes.count(False), passes.count(True)) == (without, with_gradient)
    # All problems have been seen in the first epoch, and masks are new in each step.
    assert one.policy.images_encoded - encoded[-1] == images
    assert len(one.policy.image_features._entries) == 8
    logged = one.step_record.metrics.get("train/perception_kl")
    assert logged is None if perception is None else logged > 0


def test_masks_depend_on_seed_and_problem_and_black_out_every_image(folder):
    policy = Policy(str(folder))
    prompt = ragged(policy).prompts[2]
    group = Group(prompt, [torch.tensor([5])])
    seeds = ("mask/0/0", "mask/0/0", "mask/0/1")
    first, again, other = (altered(policy.encoder, group, MASK, seed).prompt for seed in seeds)
    assert first.problem.images == again.problem.images
    assert first.transient and not prompt.transient
    assert torch.equal(first.ids, prompt.ids)
    assert not set(first.problem.images) & set(other.problem.images)
    renamed = replace(group, prompt=replace(prompt, problem=replace(prompt.problem, id="q")))
    renamed = altered(policy.encoder, renamed, MASK, "mask/0/0")
    assert renamed.prompt.problem.images != first.problem.images
    for image in first.problem.open_images():
        black = (np.asarray(image) == 0).all(-1)
        assert black.sum() == round(0.6 * 8 * 6) * 49  # of 8 x 6 patches


def test_every_group_learns_to_depend_on_its_image(folder):
    # Rewards are all equal, so that nothing but the perception loss has a gradient.
    class Equal(Capitals):
        def reward(self, completion, problem):
            return 0.5

    one = module(folder, {"equal": Equal()}, perception=PerceptionLoss(mask=MASK))
    one.configure_model()
    before = weights(one)
    fit(one, steps=1)
    assert difference(before, weights(one)) > 0


def test_a_resumed_run_with_both_recipes_goes_on_to_the_same_bits(folder, tmp_path):
    def start(ckpt: Path | None = None) -> tuple[GRPOModule, Run]:
        one = module(
            folder,
            noisy_rollout=NoisyRollout(steps=5, midpoint=2, sharpness=4),
            perception=PerceptionLoss(mask=MASK),
            lr=1.0,
            group_size=2,
        )
        run = Run(tmp_path / "saved.ckpt" if ckpt is None else None)
        trainer = quiet(callbacks=[run], max_steps=4, max_epochs=-1)
        trainer.fit(one, CountingDataModule(MadeUp(PROBLEMS), batch_size=4), ckpt_path=ckpt)
        return one, run

    whole, run = start()
    rest, late = start(tmp_path / "saved.ckpt")
    assert [one.texts for one in late.records] == [one.texts for one in run.records[3:]]
    assert run.metric("distortion") == sorted(run.metric("distortion"), reverse=True)
    assert difference(weights(whole), weights(rest)) == 0
