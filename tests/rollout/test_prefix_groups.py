import pytest
import torch

from reasonrft.policy import Policy
from reasonrft.rollout import Sampling
from reasonrft.rollout.local import SharedPrefixLayer
from tests.policy.problems import generate, ragged
from tests.policy.test_scoring import SHARING

SAMPLING = Sampling(max_tokens=30)


def load(folder) -> Policy:
    policy = Policy(str(folder))
    policy.load()
    # Every fifth token or so ends a completion, so that rows finish at different times.
    policy.stop_ids = frozenset({*policy.stop_ids, *range(0, 250, 5)})
    return policy


@pytest.mark.parametrize("family", SHARING)
def test_prompts_that_are_remembered_once_change_nothing(family, family_folder, monkeypatch):
    policy = load(family_folder(family))
    read: list[tuple[int, int]] = []
    plain = SharedPrefixLayer.update

    def update(layer, keys, *args, **options):
        read.append((len(layer.prompts[0]), len(keys)))
        return plain(layer, keys, *args, **options)

    monkeypatch.setattr(SharedPrefixLayer, "update", update)
    grouped = generate(policy, ragged(policy), 4, SAMPLING)
    # Every prompt is held once, and every token of every row goes to a layer of its own.
    layers = policy.model.config.get_text_config().num_hidden_layers
    assert {prompts for prompts, _ in read} == {4}
    saved = grouped.work["row_steps_saved"]
    turns = max(len(one.ids) for group in grouped.completions for one in group) - 1
    assert sum(rows for _, rows in read) == layers * (16 * turns - saved) and saved > 0
    read.clear()
    monkeypatch.setattr(Policy, "splits_attention", False)
    copied = generate(policy, ragged(policy), 4, SAMPLING)
    assert not read
    for own, group in zip(copied.completions, grouped.completions, strict=True):
        for a, b in zip(own, group, strict=True):
            assert torch.equal(a.ids, b.ids)
            torch.testing.assert_close(a.log_probs, b.log_probs, atol=1e-5, rtol=0)
