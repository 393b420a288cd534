import pytest
import torch

from reasonrft.policy import Group, Policy, score
from reasonrft.policy.shared_prefix import unsupported_reason
from reasonrft.rollout import Sampling
from tests.policy.families import FAMILIES
from tests.policy.problems import generate, groups_of, ragged

SHARING = [name for name in FAMILIES if name not in ("gemma3", "mllama")]


def load(folder, **options) -> tuple[Policy, list[Group]]:
    policy = Policy(str(folder), train_parts=("language", "projector", "tower"), **options)
    policy.load()
    batch = ragged(policy)
    rollout = generate(policy, batch, 3, Sampling(max_tokens=7))
    groups = groups_of(batch, rollout)
    # Ragged completions too.
    groups[0].completions[1] = groups[0].completions[1][:3]
    groups[2].completions[0] = groups[2].completions[0][:1]
    return policy, groups


def gradients(policy: Policy, groups: list[Group], **layout) -> tuple[torch.Tensor, dict]:
    policy.zero_grad()
    log_probs = score(policy, groups, **layout).log_probs
    # Every token has a weight of its own, so that tokens in each other's places are found out.
    weights = torch.linspace(-1, 1, len(log_probs))
    (log_probs * weights).sum().backward()
    found = {
        name: parameter.grad.clone()
        for name, parameter in policy.named_parameters()
        if parameter.grad is not None
    }
    return log_probs.detach(), found


# In blocks all groups have one row, if not told how long it may be; behind a mask each has its own.
WAYS = {
    "blocks": ("sdpa", 0),
    "blocks in rows": ("sdpa", 150),
    "mask": ("eager", 0),
    "mask over groups": ("eager", 10_000),
}


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("family", SHARING)
def test_shared_rows_equal_plain_ones(family, way, checkpointing, family_folder):
    attention, row_tokens = WAYS[way]
    policy, groups = load(
        family_folder(family), attention=attention, activation_checkpointing=checkpointing
    )
    assert policy.splits_attention == way.startswith("blocks")
    plain, plain_gradients = gradients(policy, groups, shared=False)
    shared, shared_gradients = gradients(policy, groups, shared=True, row_tokens=row_tokens)
    torch.testing.assert_close(shared, plain, atol=1e-5, rtol=0)
    assert shared_gradients.keys() == plain_gradients.keys()
    assert any("lm_head" not in name for name in plain_gradients)
    scale = max(value.abs().max() for value in plain_gradients.values())
    for name, expected in plain_gradients.items():
        error = (shared_gradients[name] - expected).norm()
        assert error <= 1e-4 * expected.norm() + 1e-6 * scale, name


def test_groups_of_different_sizes_share_rows_behind_a_mask(family_folder):
    policy, groups = load(family_folder("qwen2-vl"))
    groups[1].completions.pop()
    plain = score(policy, groups, shared=False).log_probs
    torch.testing.assert_close(score(policy, groups).log_probs, plain, atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_families_that_cannot_share_are_told_apart(family, family_folder):
    policy = Policy(str(family_folder(family)))
    policy.load()
    assert (unsupported_reason(policy.model) is None) == (family in SHARING)


def test_a_family_that_cannot_share_says_so_and_takes_plain_rows(family_folder):
    # Said once, when it is first asked to share: in the rollout.
    with pytest.warns(UserWarning, match="one row for every completion, because its layers are"):
        policy, groups = load(family_folder("gemma3"))
    plain = score(policy, groups, shared=False).log_probs
    asked = score(policy, groups, shared=True).log_probs
    torch.testing.assert_close(asked, plain)
