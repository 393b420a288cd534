import pytest
import torch
from torch import nn

from reasonrft.rollout.few_rows import products_of_few_rows


class Half(nn.Linear):
    """A layer of another kind computes its own way."""

    def forward(self, states):
        return super().forward(states) / 2


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [(3, 1), (5,), (2, 3, 1)])
def test_weights_by_rows_are_rows_by_weights(rows, bias):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(7, 20, bias), Half(20, 6, bias), nn.Linear(6, 4, bias))
    states = torch.randn(*rows, 7)
    with torch.no_grad():
        plain = model(states)
        with products_of_few_rows(model):
            # Those of the class stay.
            assert ["forward" in vars(layer) for layer in model] == [True, False, True]
            turned = model(states)
    assert turned.is_contiguous()
    torch.testing.assert_close(turned, plain, atol=1e-6, rtol=0)
    assert not any("forward" in vars(layer) for layer in model)


def test_other_types_and_autocast_are_left_alone():
    model = nn.Sequential(nn.Linear(7, 20), nn.Linear(20, 4, dtype=torch.bfloat16))
    with products_of_few_rows(model):
        assert ["forward" in vars(layer) for layer in model] == [True, False]
    with torch.autocast("cpu", torch.bfloat16), products_of_few_rows(model):
        assert not any("forward" in vars(layer) for layer in model)
