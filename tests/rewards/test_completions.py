"""The robust reward against completions written by hand."""

import pytest

from reasonrft.rewards import AccuracyReward, MathematicalReward
from tests.rewards.completions import CASES, Case

REWARD = AccuracyReward()


def rewards_of(kind: str) -> list[tuple[str, str, float]]:
    """(problem, completion, reward) of all completions of a kind."""
    return [
        (case.problem.id, text, REWARD.reward(text, case.problem))
        for case in CASES
        for text in getattr(case, kind)
    ]


def test_there_are_many_of_them():
    assert sum(len(c.right) + len(c.wrong) + len(c.withdrawn) for c in CASES) >= 600


def test_right_answers_are_paid_in_whatever_form_they_come():
    rewards = rewards_of("right")
    refused = [found for found in rewards if found[2] != 1]
    assert len(refused) <= 0.03 * len(rewards), refused


@pytest.mark.parametrize("kind", ["wrong", "withdrawn"])
def test_nothing_else_is_paid(kind):
    assert [found for found in rewards_of(kind) if found[2]] == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.problem.id)
def test_near_misses_are_not_paid_for_what_was_withdrawn(case: Case):
    reward = MathematicalReward()
    assert [text for text in case.withdrawn if reward.reward(text, case.problem)] == []
