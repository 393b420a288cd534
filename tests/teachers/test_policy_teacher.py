"""A policy that teaches on the same device."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from reasonrft.errors import BadInput
from reasonrft.losses import CISPOLoss, GRPOLoss, GSPOLoss, PolicyLoss
from reasonrft.modules import GRPOModule
from reasonrft.modules.micro_batches import split
from reasonrft.modules.step_metrics import StepMetrics
from reasonrft.planning.plan_run import plan_run
from reasonrft.policy import Policy, score
from reasonrft.rollout import Sampling
from reasonrft.teachers import PolicyTeacher
from tests.modules.fitting import Capitals, data, difference, weights
from tests.modules.test_grpo import fit, module
from tests.modules.test_perception_passes import gradients_of
from tests.policy.plain_scoring import plain_log_probs
from tests.policy.problems import generate, ragged

pytestmark = pytest.mark.filterwarnings("ignore")
UNPAID = {"capitals": Capitals(weight=0.0)}


@pytest.fixture(scope="module")
def folder(family_folder) -> Path:
    return family_folder("qwen3-vl")


def another(folder: Path, weight: float = 1.0, **options) -> PolicyTeacher:
    """A teacher with other weights than the folder's."""
    teacher = PolicyTeacher(Policy(str(folder), **options), weight)
    teacher.policy.load()
    generator = torch.Generator().manual_seed(7)
    for value in teacher.policy.parameters():
        noise = torch.randn(value.shape, generator=generator)
        value.data.add_(0.2 * value.data.std(correction=0) * noise)
    return teacher


@pytest.mark.parametrize("loss", [GRPOLoss(), CISPOLoss()], ids=["grpo", "cispo"])
def test_gradients_equal_those_of_a_plain_implementation(loss: PolicyLoss, folder):
    policy, teacher = Policy(str(folder)), another(folder, 0.5, max_pixels=2000)
    policy.load()
    one = GRPOModule(policy, {"capitals": Capitals()}, 2, teacher=teacher, loss=loss)
    one.step_metrics = StepMetrics()
    teacher.prepare(policy, 0.8)
    rollout = generate(policy, ragged(policy), 2, Sampling(temperature=0.8, max_tokens=5))
    advantages, tokens = torch.tensor([[1.0, -1.0]] * 4), torch.full((4, 2), 0.1)
    micro_batches = split(rollout, advantages, tokens, range(4), 150)
    assert len(micro_batches) > 1
    one.add_teacher_log_probs(teacher, micro_batches)
    assert one.step_metrics.compute_tokens == sum(batch.tokens for batch in micro_batches)
    total, plain, kl = torch.zeros(()), torch.zeros(()), 0.0
    for micro_batch in micro_batches:
        scores = score(policy, micro_batch.groups, 0.8)
        total = total + loss(micro_batch.inputs(scores.log_probs)).total
    for prompt, group in zip(rollout.batch.prompts, rollout.completions, strict=True):
        shown = teacher.policy.encoder.prompt(prompt.problem, prompt.text)
        for completion, advantage in zip(group, (1.0, -1.0), strict=True):
            own = plain_log_probs(policy, prompt, completion.ids, 0.8)
            with torch.no_grad():
                taught = plain_log_probs(teacher.policy, shown, completion.ids, 0.8)
            signal = advantage + 0.5 * (taught - own.detach())
            plain = plain - 0.1 * (signal * own).sum()
            kl += 0.1 * float((own - taught).sum())
    shared, expected = (gradients_of(policy, value) for value in (total, plain))
    scale = max(value.abs().max() for value in expected.values())
    assert shared.keys() == expected.keys() and scale > 1e-3 and abs(kl) > 1e-3
    for name, value in expected.items():
        assert (shared[name] - value).norm() <= 1e-4 * value.norm() + 1e-6 * scale, name


def test_a_policy_learns_nothing_from_itself(folder):
    one = module(folder, UNPAID, teacher=PolicyTeacher(Policy(str(folder))), lr=1.0)
    one.configure_model()
    before = weights(one)
    metrics = fit(one, steps=1).step_record.metrics
    assert abs(metrics["train/teacher_kl"]) < 1e-6 and metrics["train/grad_norm"] < 1e-4
    assert difference(before, weights(one)) < 1e-4
    # The teacher is in no checkpoint and no optimizer.
    assert not [name for name in one.state_dict() if "teacher" in name]


def test_groups_that_are_rewarded_alike_learn_from_the_teacher(folder):
    one = module(folder, UNPAID, teacher=another(folder), group_size=1)
    one.configure_model()
    before, taught = weights(one), weights_of(one.teacher)
    metrics = fit(one, steps=1).step_record.metrics
    assert metrics["train/zero_advantage_groups"] == 1 and metrics["train/reward_std"] == 0
    assert metrics["perf/tokens_scored"] == one.step_record.lengths.sum()
    assert metrics["train/teacher_kl"] > 0.01 and metrics["train/grad_norm"] > 0.01
    assert difference(before, weights(one)) > 1e-4
    assert difference(taught, weights_of(one.teacher)) == 0
    with pytest.raises(BadInput, match="group_size must be at least 2"):
        module(folder, group_size=1)


def weights_of(teacher: PolicyTeacher) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in teacher.policy.named_parameters()}


def test_the_teacher_finds_samples_likelier_after_a_few_steps():
    """The base that ships learns from the same base after stage 1."""
    one = GRPOModule(
        Policy("tiny"),
        UNPAID,
        8,
        Sampling(max_tokens=16),
        teacher=PolicyTeacher(Policy("tiny-counting")),
        optimizer=lambda params: torch.optim.AdamW(params, 2e-4),
    )
    likely, divergence = [], []
    plain = one.add_teacher_log_probs

    def note(teacher, micro_batches):
        plain(teacher, micro_batches)
        likely.append(torch.cat([m.teacher_log_probs for m in micro_batches]).mean().item())

    one.add_teacher_log_probs = note  # type: ignore[method-assign]
    one.on_train_batch_end = lambda *_: divergence.append(  # type: ignore[method-assign]
        one.step_record.metrics["train/teacher_kl"]
    )
    fit(one, steps=8)
    assert sum(likely[-2:]) > sum(likely[:2]) + 0.1
    assert sum(divergence[-2:]) < 0.9 * sum(divergence[:2])


def test_a_teacher_with_other_tokens_is_refused(folder):
    one = module(folder, teacher=PolicyTeacher(Policy("tiny-counting")))
    with pytest.raises(BadInput, match=r"the teacher tiny-counting has other tokens than .*qwen3"):
        fit(one)


def test_what_does_not_tell_tokens_apart_is_refused(folder):
    teacher = PolicyTeacher(Policy(str(folder)))
    with pytest.raises(BadInput, match="GSPOLoss a completion as a whole: take another loss"):
        module(folder, teacher=teacher, loss=GSPOLoss())
    with pytest.raises(BadInput, match="the teacher's weight must be a positive number, not 0"):
        PolicyTeacher(Policy(str(folder)), weight=0)


def test_a_plan_has_room_for_its_weights(folder):
    teacher = PolicyTeacher(Policy(str(folder), dtype="bfloat16"))
    taught = module(folder, teacher=teacher)
    options = {"limit_val_batches": 0}
    batches = data(batch_size=2, max_tokens=128)
    with_teacher = plan_run(taught, batches, options, on_gpu=False).phases["update"]
    without = plan_run(module(folder), batches, options, on_gpu=False).phases["update"]
    policy = Policy(str(folder), dtype="bfloat16")
    policy.load()
    values = [*policy.model.parameters(), *policy.model.buffers()]
    assert with_teacher["teacher"] == sum(value.nbytes for value in values)
    assert sum(with_teacher.values()) == sum(without.values()) + with_teacher["teacher"]
