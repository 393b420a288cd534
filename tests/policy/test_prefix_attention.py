import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from reasonrft.policy.prefix_attention import SharedPrefixAttention, plan_attention
from reasonrft.policy.scoring import Group, lay_out
from tests.policy.test_scoring_layout import group_of

ROWS = {
    "ragged groups in two rows": (
        [group_of(5, 3, 1, 4), group_of(1, 2, 6, 1), group_of(7, 1, 1, 2, 5)],
        [[1, 0], [2]],
    ),
    "equal completions": ([group_of(6, 3, 3)], [[0]]),
}


def plan_of(groups: list[Group], starts: list[int], shape) -> SharedPrefixAttention:
    lengths = [[len(ids) for ids in group.completions] for group in groups]
    return plan_attention([group.prompt.length for group in groups], lengths, starts, shape)


def test_places_of_groups_and_completions():
    # p p a b b | q c d, in one row: the last token of a completion stands in for what it lacks.
    plan = plan_of([group_of(2, 1, 2), group_of(1, 1, 1)], [0, 5], (1, 8))
    assert plan.completions.tolist() == [[2, 2], [3, 4], [6, 6], [7, 7]]
    assert plan.tokens.tolist() == [2, 3, 4, 6, 7]
    assert plan.back.tolist() == [0, 2, 3, 4, 6]
    assert plan.needed.tolist() == [1, 2, 3, 4, 5, 6, 7]
    # The first prompt's first token; ends of prompts and completions; a prompt of one is its end.
    assert [(queries.start, queries.stop, causal) for queries, _, causal in plan.to_prompts()] == [
        (0, 1, True),
        (1, 5, False),
        (5, 8, False),
    ]
    assert all(not causal for _, _, causal in plan.without_prompts().to_prompts())


@pytest.mark.parametrize("pruned", [False, True])
@pytest.mark.parametrize("name", ROWS)
def test_attention_in_parts_is_that_behind_the_mask(name, pruned):
    groups, rows = ROWS[name]
    positions = [torch.arange(group.prompt.length)[None] for group in groups]
    layout = lay_out(groups, positions, rows)
    shape = layout.completions.shape
    torch.manual_seed(0)
    query = torch.randn(shape[0], 4, shape[1], 8, dtype=torch.float64, requires_grad=True)
    key, value = torch.randn(2, shape[0], 2, shape[1], 8).double().requires_grad_()
    plan = plan_of(groups, layout.starts, shape)
    wanted = layout.groups >= 0
    if pruned:
        plan = plan.without_prompts()
        wanted = torch.zeros(wanted.numel()).index_fill(0, plan.needed, 1).bool().view(shape)
    parts = plan.attend(None, query, key, value, 0.3, 0.0)
    masked = scaled_dot_product_attention(
        query, key, value, layout.mask[:, None], scale=0.3, enable_gqa=True
    ).transpose(1, 2)
    torch.testing.assert_close(parts[wanted], masked[wanted])
    gradient = torch.randn_like(masked) * wanted[..., None, None]
    found, expected = (
        torch.autograd.grad(output, (query, key, value), gradient) for output in (parts, masked)
    )
    torch.testing.assert_close(found, expected)


def test_attention_in_parts_refuses_dropout():
    plan = plan_of([group_of(2, 1)], [0], (1, 3))
    with pytest.raises(ValueError, match="dropout"):
        plan.attend(None, *torch.zeros(3, 1, 1, 3, 8), 1.0, 0.1)
