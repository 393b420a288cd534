import math

import pytest
import torch

from reasonrft.errors import BadInput
from reasonrft.losses import (
    BNPOLoss,
    CISPOLoss,
    DAPOLoss,
    DrGRPOLoss,
    GRPOLoss,
    GSPOLoss,
    LossInputs,
    group_advantages,
    kl_estimate,
)

LOSSES = [GRPOLoss, DrGRPOLoss, DAPOLoss, BNPOLoss, GSPOLoss, CISPOLoss]


def tokens(
    log_probs: list[float],
    old: list[float] | None = None,
    advantages: list[float] | None = None,
    completion: list[int] | None = None,
    reference: list[float] | None = None,
    rollout: list[float] | None = None,
) -> LossInputs:
    """Tokens of equal weight, by default on-policy and of one completion."""
    count = len(log_probs)
    leaf = torch.tensor(log_probs, dtype=torch.float64, requires_grad=True)
    return LossInputs(
        leaf,
        torch.tensor(old or log_probs, dtype=torch.float64),
        torch.tensor(advantages or [1.0] * count, dtype=torch.float64),
        torch.full((count,), 1 / count, dtype=torch.float64),
        torch.tensor(completion or [0] * count),
        *(
            None if values is None else torch.tensor(values, dtype=torch.float64)
            for values in (reference, rollout)
        ),
    )


def gradient(inputs: LossInputs, loss=None, beta: float = 0.0) -> list[float]:
    inputs.log_probs.grad = None
    (loss or GRPOLoss())(inputs, beta).total.backward()
    return inputs.log_probs.grad.tolist()


def test_advantages_by_hand():
    # Mean 1/4; deviations 3/4, -1/4, -1/4, -1/4; variance (9 + 1 + 1 + 1) / 16 / 3 = 1/4.
    advantages = group_advantages(torch.tensor([[1.0, 0.0, 0.0, 0.0]]))
    assert advantages[0].tolist() == pytest.approx(
        [0.75 / 0.5001, -0.25 / 0.5001, -0.25 / 0.5001, -0.25 / 0.5001]
    )
    assert group_advantages(torch.tensor([[1.0, 0.0]]), "none").tolist() == [[0.5, -0.5]]


def test_advantages_over_the_batch_share_one_deviation():
    rewards = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    # Mean 1; variance (0 + 1 + 4 + 1) / 3 = 2.
    wide = math.sqrt(2) + 1e-4
    advantages = group_advantages(rewards, "batch").flatten().tolist()
    assert advantages == pytest.approx([0.5 / wide, -0.5 / wide, 1.5 / wide, -1.5 / wide])


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_equal_rewards_have_no_advantage(scale):
    # 0.1 added up three times is not 0.3 in floats: rounding must not become a signal.
    rewards = torch.tensor([[0.3, 0.1 + 0.1 + 0.1, 0.3], [1.0, 0.0, 0.0]])
    assert group_advantages(rewards, scale)[0].tolist() == [0, 0, 0]
    assert group_advantages(rewards[:, :1], scale).tolist() == [[0], [0]]


def test_weights_by_hand():
    lengths = torch.tensor([[1, 3], [4, 2]])
    counted = torch.tensor([[True, True], [True, False]])
    weights = {loss: loss().token_weights(lengths, counted, 10).tolist() for loss in LOSSES}
    third, eighth = 1 / 3, 1 / 8
    by_completion = [[third, third / 3], [third / 4, 0]]
    assert weights[GRPOLoss] == weights[GSPOLoss] == [pytest.approx(row) for row in by_completion]
    assert weights[DrGRPOLoss] == [pytest.approx([1 / 30, 1 / 30]), pytest.approx([1 / 30, 0])]
    assert weights[BNPOLoss] == [pytest.approx([eighth, eighth]), pytest.approx([eighth, 0])]
    assert weights[DAPOLoss] == weights[CISPOLoss] == [[eighth, eighth], [eighth, 0]]


@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_counted_is_no_loss(loss):
    weights = loss().token_weights(torch.tensor([[5, 5]]), torch.zeros(1, 2).bool(), 10)
    assert weights.tolist() == [[0, 0]]


@pytest.mark.parametrize("loss", LOSSES)
def test_on_policy_all_losses_are_the_policy_gradient(loss):
    # d/dlogp of -weight * advantage * ratio at ratio 1. GSPO's two tokens share one ratio.
    inputs = tokens([-1.0, -2.0], advantages=[0.5, 0.5])
    assert gradient(inputs, loss()) == pytest.approx([-0.25, -0.25])


def test_clipping_by_hand():
    # Ratios 2 and 1/2 at advantage 1: the first is clipped at 1.2, the second is not.
    inputs = tokens([math.log(2), math.log(0.5)], old=[0.0, 0.0])
    output = GRPOLoss()(inputs)
    assert output.total.item() == pytest.approx(-(1.2 + 0.5) / 2)
    assert output.clip_fraction.item() == pytest.approx(0.5)
    assert gradient(inputs) == pytest.approx([0, -0.25])
    # At advantage -1 it is the other way round.
    other = tokens([math.log(2), math.log(0.5)], old=[0.0, 0.0], advantages=[-1.0, -1.0])
    assert gradient(other) == pytest.approx([1.0, 0])
    # Clip-higher leaves more room above.
    wide = tokens([math.log(1.25)], old=[0.0])
    assert GRPOLoss(clip_high=0.28)(wide).clip_fraction.item() == 0


def test_gspo_clips_whole_completions():
    # Geometric mean of 4 and 1/4 is 1: nothing is clipped, whatever single tokens do.
    inputs = tokens([math.log(4), math.log(0.25)], old=[0.0, 0.0])
    output = GSPOLoss()(inputs)
    assert output.total.item() == pytest.approx(-1)
    assert output.clip_fraction.item() == 0
    two = tokens([math.log(4), math.log(0.25)], old=[0.0, 0.0], completion=[0, 1])
    assert GSPOLoss()(two).total.item() == pytest.approx(-(1.2 + 0.25) / 2)


def test_cispo_keeps_the_gradient_of_clipped_tokens():
    inputs = tokens([math.log(2)], old=[0.0])
    assert gradient(inputs, CISPOLoss()) == pytest.approx([-1.2])


def test_kl_estimates_by_hand():
    policy, reference = torch.tensor([-1.0]), torch.tensor([-1.5])
    assert kl_estimate(policy, reference, "k1").item() == pytest.approx(0.5)
    assert kl_estimate(policy, reference, "k2").item() == pytest.approx(0.125)
    assert kl_estimate(policy, reference, "k3").item() == pytest.approx(math.exp(-0.5) - 0.5)


@pytest.mark.parametrize("kl", ["k1", "k2", "k3"])
def test_kl_estimates_estimate_kl(kl):
    torch.manual_seed(0)
    policy = torch.tensor([0.5, 0.3, 0.2]).log()
    reference = torch.tensor([0.45, 0.3, 0.25]).log()
    drawn = torch.multinomial(policy.exp(), 400_000, replacement=True)
    true = (policy.exp() * (policy - reference)).sum()
    estimate = kl_estimate(policy[drawn], reference[drawn], kl).mean()
    # k2 is biased by the third order of the difference.
    assert estimate.item() == pytest.approx(true.item(), rel=0.1)


def test_the_penalty_is_part_of_the_loss():
    inputs = tokens([-1.0], advantages=[0.0], reference=[-1.5])
    output = GRPOLoss(kl="k2")(inputs, beta=0.5)
    assert output.total.item() == pytest.approx(0.0625)
    assert output.kl.item() == pytest.approx(0.125)
    assert gradient(inputs, GRPOLoss(kl="k2"), beta=0.5) == pytest.approx([0.25])


def test_importance_weights_by_hand():
    # The scorer finds the tokens 2, 1/2 and 4 times as likely as the sampler did; the cap is 3.
    rollout = [-1.0, -1.0, -1.0]
    inputs = tokens(
        [-1 + math.log(2), -1 - math.log(2), -1 + math.log(4)],
        advantages=[1.0, 1.0, -1.0],
        rollout=rollout,
    )
    output = GRPOLoss(importance_cap=3.0)(inputs)
    assert output.importance.weights.tolist() == pytest.approx([2, 0.5, 3])
    assert output.importance.truncated.tolist() == [False, False, True]
    assert output.importance.log_ratios.exp().tolist() == pytest.approx([2, 0.5, 4])
    # k3 of KL(rollout || old), with the ratio as it is: r - log r - 1.
    expected = [1 - math.log(2), math.log(2) - 0.5, 3 - math.log(4)]
    assert output.importance.kl.tolist() == pytest.approx(expected)
    assert output.total.item() == pytest.approx(-(2 + 0.5 - 3) / 3)
    assert gradient(inputs, GRPOLoss(importance_cap=3.0)) == pytest.approx([-2 / 3, -0.5 / 3, 1.0])


@pytest.mark.parametrize("loss", LOSSES)
def test_a_sampler_that_is_the_scorer_is_not_corrected(loss):
    plain = tokens([-1.0, -2.0], old=[-1.5, -1.0], advantages=[0.5, -0.5])
    same = tokens([-1.0, -2.0], old=[-1.5, -1.0], advantages=[0.5, -0.5], rollout=[-1.5, -1.0])
    assert loss()(plain).importance is None
    assert torch.equal(loss()(plain).total, loss()(same).total)


@pytest.mark.parametrize(
    "options", [{"clip_low": -1.0}, {"clip_high": math.nan}, {"importance_cap": 0.5}]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(BadInput, match=f"{next(iter(options))} must be"):
        GRPOLoss(**options)
