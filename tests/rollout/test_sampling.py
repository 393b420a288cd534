import math

import pytest
import torch

from reasonrft.errors import BadInput
from reasonrft.rollout.sampling import Sampling, choose, uniforms

LIKELY = torch.tensor([0.5, 0.3, 0.15, 0.05])


def shares(sampling: Sampling) -> list[float]:
    """How often each token is chosen, over evenly spread random numbers."""
    count = 2000
    rows = LIKELY.log().expand(count, -1)
    chosen = choose(rows, (torch.arange(count) + 0.5) / count, sampling)
    return (torch.bincount(chosen, minlength=4) / count).tolist()


def test_tokens_are_drawn_by_their_probability():
    assert shares(Sampling()) == pytest.approx(LIKELY.tolist(), abs=1e-3)


def test_greedy_takes_the_likeliest():
    assert shares(Sampling(temperature=0)) == [1, 0, 0, 0]


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(top_k=2),
        Sampling(top_p=0.7),  # 0.5 is not enough, 0.5 + 0.3 is
        Sampling(min_p=0.5),  # at least 0.25
    ],
)
def test_truncation_keeps_the_likeliest_two(sampling):
    assert shares(sampling) == pytest.approx([0.625, 0.375, 0, 0], abs=1e-3)


def test_a_token_without_probability_is_never_drawn():
    rows = torch.tensor([[0.0, 1.0, 0.0]]).log().expand(3, -1)
    edge = torch.tensor([0.0, 0.5, 1.0 - 1e-16], dtype=torch.float64)
    assert choose(rows, edge, Sampling()).tolist() == [1, 1, 1]


def test_random_numbers_depend_on_what_they_are_for_alone():
    first = uniforms(0, 3, "p", 1, 4)
    assert torch.equal(first, uniforms(0, 3, "p", 1, 4))
    assert torch.equal(first[:2], uniforms(0, 3, "p", 1, 2))
    others = [uniforms(1, 3, "p", 1, 4), uniforms(0, 4, "p", 1, 4), uniforms(0, 3, "q", 1, 4)]
    others.append(uniforms(0, 3, "p", 2, 4))
    assert not any(torch.equal(first, other) for other in others)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -1.0),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("top_p", 0.0),
        ("top_p", 2.0),
        ("top_p", math.nan),
        ("top_k", -1),
        ("min_p", -0.1),
        ("min_p", 1.0),
        ("min_p", math.nan),
        ("max_tokens", 0),
    ],
)
def test_values_out_of_range_are_refused(name, value):
    with pytest.raises(BadInput, match=rf"^sampling's {name} must be .*, not {value}$"):
        Sampling(**{name: value})


def test_the_ends_of_the_ranges_are_accepted():
    Sampling(temperature=0.0, top_p=1.0, top_k=0, min_p=0.0, max_tokens=1)
