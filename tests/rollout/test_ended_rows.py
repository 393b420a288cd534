"""Engines tell of completions while others are still sampled, and sample the same."""

import pytest
import torch

from reasonrft.policy import Policy
from reasonrft.rollout import LocalEngine, Rollout, RolloutEngine, Sampling
from reasonrft.rollout.static_decoding import ON_GPU
from tests.policy.problems import ragged
from tests.rollout.test_static_decoding import assert_same, load

pytestmark = pytest.mark.filterwarnings("ignore")

Told = list[tuple[str, str, int]]


@pytest.fixture(scope="module")
def policy(family_folder) -> Policy:
    return load(family_folder("qwen3-vl"))


def generate(engine: RolloutEngine, policy: Policy, **options) -> Rollout:
    given = {"group_size": 4, "sampling": Sampling(max_tokens=30), "seed": 1, **options}
    return engine.generate(ragged(policy), **given)


def heard(engine: RolloutEngine, policy: Policy, **options) -> tuple[Rollout, Told]:
    told: Told = []
    with engine.telling(lambda problem, text, tokens: told.append((problem.id, text, tokens))):
        return generate(engine, policy, **options), told


def all_of(rollout: Rollout, lengths: range) -> Told:
    """Completions that ended by themselves, of some lengths."""
    return sorted(
        (problem.id, text, len(completion.ids))
        for problem, texts, group in zip(
            rollout.problems, rollout.texts, rollout.completions, strict=True
        )
        for text, completion in zip(texts, group, strict=True)
        if completion.stopped and len(completion.ids) in lengths
    )


@pytest.mark.parametrize("loop", ["static", "eager"])
def test_what_ends_is_told_of_once(loop, policy):
    engine = LocalEngine(loop)
    engine.sync(policy, 0)
    silent = generate(engine, policy)
    rollout, told = heard(engine, policy)
    assert_same(silent, rollout)
    for own, group in zip(silent.completions, rollout.completions, strict=True):
        assert all(torch.equal(a.log_probs, b.log_probs) for a, b in zip(own, group, strict=True))
    assert silent.work["row_steps"] == rollout.work["row_steps"]
    # Those that ended at the last token of all are told of by the rollout itself.
    longest = int(rollout.lengths.max())
    expected = all_of(rollout, range(1, longest))
    assert sorted(told) == expected and len(expected) > 4
    assert engine.on_completion is None


def test_a_loop_that_looks_seldom_tells_what_it_sees(policy, monkeypatch):
    """As on a GPU, where rows that have ended are looked at every eight tokens, and some stay."""
    monkeypatch.setattr("reasonrft.rollout.local.ON_CPU", ON_GPU)
    monkeypatch.setattr(policy, "stop_ids", frozenset(range(0, 250, 25)))
    engine = LocalEngine("static")
    engine.sync(policy, 0)
    rollout, told = heard(engine, policy)
    looked_last = 8 * ((int(rollout.lengths.max()) - 1) // 8)
    assert looked_last >= 8
    assert sorted(told) == all_of(rollout, range(1, looked_last + 1))


def test_a_listener_that_fails_is_heard_no_more(policy):
    engine = LocalEngine()
    engine.sync(policy, 0)

    def fail(*completion):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), engine.telling(fail):
        generate(engine, policy)
    assert engine.on_completion is None and policy.training
    generate(engine, policy, sampling=Sampling(max_tokens=2))
