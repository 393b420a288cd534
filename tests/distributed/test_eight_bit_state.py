"""States of 8-bit optimizers, cut for other numbers of ranks."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from bitsandbytes.functional import dequantize_blockwise
from bitsandbytes.optim import AdamW8bit

from reasonrft.distributed.eight_bit_state import as_piece, state_of_range
from reasonrft.errors import BadInput

SIZE = 3000
"""Of a weight: eleven blocks of 256 values, and a part of one."""


def trained(values: torch.Tensor, gradients: torch.Tensor, steps: int = 3) -> Any:
    """The optimizer of some values, which has moved them in place."""
    parameter = torch.nn.Parameter(values)
    optimizer = AdamW8bit([parameter], lr=0.01, min_8bit_size=256)
    for _ in range(steps):
        parameter.grad = gradients.clone()
        optimizer.step()
    return optimizer


def pieces_at(*cuts: int) -> list[Any]:
    """The states of the ranges between cuts."""
    generator = torch.Generator().manual_seed(0)
    values, gradients = torch.randn(2, SIZE, generator=generator)
    states = [
        next(iter(trained(values[a:b], gradients[a:b]).state.values())) for a, b in pairwise(cuts)
    ]
    return [as_piece(state, a, b - a) for state, (a, b) in zip(states, pairwise(cuts), strict=True)]


def moments(state: Any) -> list[torch.Tensor]:
    """Both moments, by bitsandbytes' own reading of 8 bits."""
    if "absmax1" not in state:
        return [state["state1"], state["state2"]]
    return [
        dequantize_blockwise(
            state[f"state{n}"], absmax=state[f"absmax{n}"], code=state[f"qmap{n}"], blocksize=256
        )
        for n in (1, 2)
    ]


def test_a_range_of_before_has_its_state_of_before():
    pieces = pieces_at(0, 1000, SIZE)
    assert state_of_range(pieces, 1000, 2000).keys() == pieces[1]["state"].keys()
    for key, value in state_of_range(pieces, 1000, 2000).items():
        assert value is pieces[1]["state"][key]
    assert state_of_range(pieces, SIZE, 0) == {}


@pytest.mark.parametrize(("first", "last"), [(0, SIZE), (256, 2816), (1536, SIZE), (512, 1100)])
def test_ranges_cut_between_blocks_stay_in_8_bits(first, last):
    pieces = pieces_at(0, 1024, 2560, SIZE)
    state = state_of_range(pieces, first, last - first)
    assert state["state1"].dtype == torch.uint8 and state["step"] == 3
    assert len(state["absmax1"]) == -(-(last - first) // 256)
    before = [torch.cat(both) for both in zip(*(moments(p["state"]) for p in pieces), strict=True)]
    for now, then in zip(moments(state), before, strict=True):
        assert torch.equal(now, then[first:last])


@pytest.mark.parametrize(
    ("cuts", "first", "last"),
    [((0, 1000, SIZE), 0, SIZE), ((0, SIZE), 100, 1100), ((0, 2900, SIZE), 1280, SIZE)],
)
def test_ranges_cut_within_blocks_go_on_in_32_bits_with_the_same_values(cuts, first, last):
    pieces = pieces_at(*cuts)
    state = state_of_range(pieces, first, last - first)
    assert state.keys() == {"step", "state1", "state2"}
    before = [torch.cat(both) for both in zip(*(moments(p["state"]) for p in pieces), strict=True)]
    for now, then in zip((state["state1"], state["state2"]), before, strict=True):
        assert now.dtype == torch.float32 and torch.equal(now, then[first:last])


def test_the_next_update_is_that_of_one_process():
    cuts, gradient = (0, 1100, SIZE), torch.linspace(-1, 1, SIZE)
    both = [trained(torch.zeros(SIZE)[a:b], gradient[a:b]) for a, b in pairwise(cuts)]
    states = [next(iter(optimizer.state.values())) for optimizer in both]
    values = torch.cat([optimizer.param_groups[0]["params"][0].detach() for optimizer in both])
    pieces = [as_piece(s, a, b - a) for s, (a, b) in zip(states, pairwise(cuts), strict=True)]
    whole = trained(values.clone(), gradient, steps=0)
    parameter = whole.param_groups[0]["params"][0]
    whole.state[parameter] = state_of_range(pieces, 0, SIZE)
    for optimizer, (a, b) in zip(both, pairwise(cuts), strict=True):
        optimizer.param_groups[0]["params"][0].grad = gradient[a:b].clone()
        optimizer.step()
    parameter.grad = gradient.clone()
    whole.step()
    apart = torch.cat([optimizer.param_groups[0]["params"][0].detach() for optimizer in both])
    assert (apart - values).abs().max() > 1e-3
    torch.testing.assert_close(parameter.detach(), apart, rtol=0, atol=1e-6)


def test_what_bitsandbytes_writes_is_read_too():
    optimizer = trained(torch.zeros(SIZE), torch.ones(SIZE))
    written = as_piece(optimizer.state_dict()["state"][0], 0, SIZE)
    own = next(iter(optimizer.state.values()))
    assert written["state"].keys() == own.keys()
    assert torch.equal(written["state"]["state1"], own["state1"])


def test_a_state_of_more_values_than_the_weight_has_cannot_be_cut():
    piece = as_piece({"step": 1, "state1": torch.zeros(2, 8)}, 0, 8)
    assert state_of_range([piece], 0, 8) == piece["state"]
    with pytest.raises(BadInput, match="go on with as many as before"):
        state_of_range([piece], 0, 4)
