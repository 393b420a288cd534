from types import SimpleNamespace

import torch
from torch.nn.functional import scaled_dot_product_attention

from reasonrft.policy.scoring import lay_out, plan_attention
from tests.policy.test_scoring_layout import group_of


def test_places_of_prompts_and_completions():
    # p p a b b | q c d, in one row: the last token of a span stands in for what it lacks.
    groups = [group_of(2, 1, 2), group_of(1, 1, 1)]
    blocks = plan_attention(groups, [0, 5], (1, 8))
    assert blocks.prompts.tolist() == [[0, 1], [5, 5]]
    assert blocks.completions.tolist() == [[2, 2], [3, 4], [6, 6], [7, 7]]
    # Among p p q q | a a b b c c d d.
    assert blocks.back.tolist() == [0, 1, 4, 6, 7, 2, 8, 10]
    # Prompt first, then itself.
    assert blocks.mask[1, 0].int().tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert blocks.mask[2, 0].int().tolist() == [[1, 0, 1, 0], [1, 0, 1, 1]]


def test_attention_in_blocks_is_that_behind_the_mask():
    groups = [group_of(5, 3, 1, 4), group_of(2, 2, 6, 1), group_of(7, 1, 1, 2)]
    positions = [torch.arange(group.prompt.length)[None] for group in groups]
    layout = lay_out(groups, positions, [[1, 0], [2]])
    shape = layout.completions.shape
    query = torch.randn(2, 4, shape[1], 8)
    key, value = torch.randn(2, 2, 2, shape[1], 8)
    module = SimpleNamespace(num_key_value_groups=2)
    blocks = plan_attention(groups, layout.starts, shape).to(query.device, query.dtype)
    read = blocks.attend(module, query, key, value, 0.3, 0.0)
    masked = scaled_dot_product_attention(
        query, key, value, layout.mask[:, None], scale=0.3, enable_gqa=True
    ).transpose(1, 2)
    there = layout.groups >= 0
    torch.testing.assert_close(read[there], masked[there])
