import math

import pytest
import torch

from reasonrft.errors import BadInput
from reasonrft.losses import LossOutput, PerceptionLoss

NOTHING = torch.zeros(())


def added(perception: PerceptionLoss, probs: list[float], masked: list[float]):
    """The loss, the gradients of both kinds of log-probs, and the divergence; weights are 1/2."""
    both = [torch.tensor(p, dtype=torch.float64).log().requires_grad_() for p in (probs, masked)]
    loss = LossOutput(NOTHING + 7, NOTHING, NOTHING, None)
    loss = perception(loss, *both, torch.full((len(probs),), 0.5, dtype=torch.float64))
    loss.total.backward()
    return loss.total.item() - 7, *(p.grad.tolist() for p in both), loss.figures["perception_kl"]


def test_the_divergence_by_hand():
    # Ratios pi_mask / pi: 1/2 and 2. Estimates r - log r - 1: log 2 - 1/2 and 1 - log 2.
    total, image, masked, kl = added(PerceptionLoss(weight=0.1), [0.8, 0.1], [0.4, 0.2])
    assert kl.item() == pytest.approx(0.5 * (math.log(2) - 0.5 + 1 - math.log(2)))
    assert total == pytest.approx(-0.1 * kl.item())
    # Of an estimate by log pi: 1 - r. What the image makes likelier becomes likelier yet.
    assert image == pytest.approx([-0.1 * 0.5 * 0.5, 0.1 * 0.5])
    assert masked == pytest.approx([0.1 * 0.5 * 0.5, -0.1 * 0.5])


def test_entropies_are_added_by_hand():
    perception = PerceptionLoss(0.0, gradient="both", entropy=0.3, masked_entropy=0.2)
    total, image, masked, _ = added(perception, [0.5, 0.25], [0.5, 0.5])
    # Sampled entropies: log 2 and 2 log 2; log 2 and log 2.
    assert total == pytest.approx(0.5 * (0.3 * 3 + 0.2 * 2) * math.log(2))
    assert image == pytest.approx([-0.15, -0.15])
    assert masked == pytest.approx([-0.1, -0.1])


def test_a_token_beyond_the_cap_counts_and_has_no_gradient():
    # e^3 - 3 - 1 = 16.1; the second is hopeless without the mask, 1e-40.
    total, image, _, kl = added(
        PerceptionLoss(weight=1.0), [0.01, 1e-40], [0.01 * math.exp(3), 0.9]
    )
    assert kl.item() == pytest.approx(10) and total == pytest.approx(-10)
    assert image == [0, 0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"weight": -1.0}, "perception's weight must be a number of at least 0, not -1.0"),
        ({"entropy": float("nan")}, "perception's entropy must be"),
        ({"cap": 0.0}, "perception's cap must be positive"),
        ({"gradient": "masked"}, "gradient must be image or both, not masked"),
        ({"masked_entropy": 0.1}, "masked_entropy has a gradient with gradient: both alone"),
    ],
)
def test_what_makes_no_sense_is_refused(options, sentence):
    with pytest.raises(BadInput, match=sentence):
        PerceptionLoss(**options)
