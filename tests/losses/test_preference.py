import math

import pytest
import torch

from reasonrft.losses import preference_loss


def rows(*pairs: tuple[float, float]) -> torch.Tensor:
    return torch.tensor(pairs, dtype=torch.float64)


def test_the_loss_by_hand():
    # Log-ratios 3 and 1, then -2 and 0; times 0.5, the margins are 1 and -1.
    log_probs, reference = rows((-4, -9), (-7, -5)), rows((-7, -10), (-5, -5))
    output = preference_loss(log_probs, reference, beta=0.5)
    expected = [math.log(1 + math.exp(-1)), math.log(1 + math.exp(1))]
    assert output.losses.tolist() == pytest.approx(expected)
    assert output.rewards.tolist() == [[1.5, 0.5], [-1.0, 0.0]]
    # Loss, rewards of chosen and rejected, margin, pairs that are the right way round.
    assert output.figures.tolist() == pytest.approx([sum(expected), 0.5, 0.5, 0.0, 1.0])


def test_smoothed_labels_by_hand():
    # A margin of log 3: sigma is 3/4. A tenth of the label says the opposite.
    log_probs = rows((math.log(3), 0)).requires_grad_()
    output = preference_loss(log_probs, rows((0, 0)), beta=1.0, label_smoothing=0.1)
    expected = -0.9 * math.log(0.75) - 0.1 * math.log(0.25)
    assert output.losses.tolist() == pytest.approx([expected])
    output.losses.sum().backward()
    # sigma - (1 - s): above 0.9 the gradient would turn.
    assert log_probs.grad.tolist()[0] == pytest.approx([0.75 - 0.9, 0.9 - 0.75])


def test_at_the_reference_the_loss_is_log_2():
    same = rows((-3, -8))
    assert preference_loss(same, same, 0.1).losses.item() == pytest.approx(math.log(2))
