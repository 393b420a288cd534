import pytest
import torch

from reasonrft.errors import BadInput
from reasonrft.policy import Policy
from reasonrft.rollout import Completion
from reasonrft.rollout.engine_parity import (
    PROBE,
    Gap,
    are_scaled,
    default_tolerance,
    gaps,
    probe_prompts,
)
from tests.policy.problems import generate

FINE, OFF = 0.001, 0.3


def test_log_probs_tell_whether_they_are_scaled():
    assert are_scaled("url", "path", [Gap(FINE, OFF), Gap(FINE, OFF)], 0.01)
    assert are_scaled("url", "path", [Gap(FINE, FINE), Gap(FINE, FINE)], 0.01)
    assert not are_scaled("url", "path", [Gap(OFF, FINE), Gap(OFF, FINE)], 0.01)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([Gap(OFF, OFF), Gap(OFF, OFF)], "differ by 0.3 on average without any image"),
        ([Gap(FINE, OFF), Gap(OFF, OFF)], "agree to 0.001 without an image and differ by 0.3"),
        ([Gap(float("nan"), OFF), Gap(FINE, OFF)], "without any image"),
    ],
)
def test_what_differs_is_said(found, message):
    with pytest.raises(BadInput, match=message):
        are_scaled("url", "path", found, 0.01)


def test_gaps_are_means_over_tokens(family_folder):
    policy = Policy(str(family_folder("qwen3-vl")))
    policy.load()
    prompts = probe_prompts(policy)
    assert [len(prompt.problem.images) for prompt in prompts] == [0, 1]
    batch = policy.encoder.prompts([one.problem for one in prompts], [one.text for one in prompts])
    sampled = generate(policy, batch, 2, PROBE).completions
    assert all(gap.scaled < 1e-4 < gap.raw for gap in gaps(policy, prompts, sampled))
    lower = [[Completion(c.ids, c.log_probs - 0.25, c.stopped) for c in g] for g in sampled]
    assert [gap.scaled for gap in gaps(policy, prompts, lower)] == pytest.approx([0.25] * 2, 1e-3)
    assert policy.training
    assert default_tolerance(policy) == 0.01
    policy.model.to(torch.bfloat16)
    assert default_tolerance(policy) == 0.05
