from collections.abc import Sequence

import pytest
import torch

from reasonrft.errors import BadInput
from reasonrft.rewards import Reward
from reasonrft.rewards.compute_rewards import judge, weighted
from tests.datamodules.reading import made_up

TEXTS = [["a", "bb"], ["ccc", ""]]
PROBLEMS = [made_up(1), made_up(2)]


class Given(Reward):
    """Scores that do not depend on anything, as somebody's reward may give them."""

    def __init__(self, scores: Sequence[Sequence], weight: float = 1.0) -> None:
        super().__init__(weight)
        self.scores = scores

    def __call__(self, completions, problems, step=0):
        return self.scores


def test_scores_are_added_up_with_their_weights():
    rewards = {"whole": Given([[1, 0], [2, True]]), "half": Given([[1.0, 2.0], [3.0, 4.0]], 0.5)}
    scores = judge(rewards, TEXTS, PROBLEMS, 0)
    assert scores["whole"].dtype == torch.float32  # so that scores of another try fit in
    assert weighted(scores, rewards).tolist() == [[1.5, 1.0], [3.5, 3.0]]


@pytest.mark.parametrize("fault", [None, float("nan"), float("inf"), 1e39, 10**400, "good"])
def test_what_is_no_finite_number_is_named(fault):
    rewards = {"fine": Given([[0, 1], [1, 0]]), "own": Given([[0, 1], [1, fault]])}
    with pytest.raises(BadInput, match=r"reward 'own' is no finite number on problem 'p2'"):
        judge(rewards, TEXTS, PROBLEMS, 0)


@pytest.mark.parametrize("scores", [[0], [0, 1, 2], [[0], [1]]])
def test_each_completion_has_one_score(scores):
    with pytest.raises(BadInput, match=r"reward 'own' gives 2 completions of problem 'p1' scores"):
        judge({"own": Given([scores, [0, 1]])}, TEXTS, PROBLEMS, 0)
