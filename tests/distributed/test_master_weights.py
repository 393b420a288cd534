"""Weights in bfloat16 whose float32 copies are updated: alone here, on ranks with the others."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import AdamW

from reasonrft.distributed.local_optimizer import make_optimizer
from reasonrft.distributed.master_weights import MasterWeights
from reasonrft.errors import BadInput
from reasonrft.modules import GRPOModule, ReasoningModule, SFTModule
from reasonrft.policy import Lora, Policy
from reasonrft.rollout import Sampling
from tests.datamodules.reading import quiet
from tests.modules.fitting import Capitals, data, difference, weights

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def folder(family_folder) -> Path:
    return family_folder("qwen3-vl")


def parameters() -> list[nn.Parameter]:
    """A weight in bfloat16, and a scale in float32 as some models keep them."""
    values = torch.randn(40, 30, generator=torch.Generator().manual_seed(0))
    return [nn.Parameter(values.bfloat16()), nn.Parameter(torch.ones(30))]


def groups(values: list[nn.Parameter]) -> list[dict[str, Any]]:
    return [{"params": values[:1]}, {"params": values[1:], "weight_decay": 0.0}]


def gradients(step: int) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(step)
    return [torch.randn(40, 30, generator=random).bfloat16(), torch.randn(30, generator=random)]


def step(optimizer: Any, values: list[nn.Parameter], number: int) -> None:
    for value, gradient in zip(values, gradients(number), strict=True):
        value.grad = gradient
    optimizer.step()
    optimizer.zero_grad()


def test_copies_are_updated_as_weights_in_float32_would_be():
    values, make = parameters(), partial(AdamW, lr=0.01, weight_decay=0.1)
    optimizer = make_optimizer(make, groups(values), master_weights=True)
    plain = [nn.Parameter(value.detach().float()) for value in values]
    expected = make(groups(plain))
    for number in range(5):
        step(optimizer, values, number)
        for value, gradient in zip(plain, gradients(number), strict=True):
            value.grad = gradient.float()
        expected.step()
        assert torch.equal(values[0], plain[0].bfloat16()) and torch.equal(values[1], plain[1])
    assert all(map(torch.equal, optimizer.masters, plain))
    assert all(value.grad is None for value in [*values, *optimizer.masters])


def test_updates_that_bfloat16_alone_would_lose_add_up():
    # Around 2^-10, numbers of bfloat16 are 2^-17 apart, which is 7.6e-6; Adam's steps are 1e-6.
    moved = {}
    make = partial(AdamW, lr=1e-6, weight_decay=0.0)
    for master_weights in (False, True):
        value = nn.Parameter(torch.full((8,), 2.0**-10, dtype=torch.bfloat16))
        said = nullcontext() if master_weights else pytest.warns(match="set model.master_weights")
        with said:
            optimizer = make_optimizer(make, [{"params": [value]}], master_weights)
        for _ in range(23):
            value.grad = torch.ones_like(value)
            optimizer.step()
        moved[master_weights] = (2.0**-10 - value.detach().double()).unique().tolist()
    # 23e-6 is three of those distances, rounded.
    assert moved == {False: [0], True: [3 * 2.0**-17]}


def test_a_state_goes_on_to_the_same_bits(tmp_path):
    values, make = parameters(), partial(AdamW, lr=0.01)
    optimizer = make_optimizer(make, groups(values), master_weights=True)
    for number in range(3):
        step(optimizer, values, number)
    torch.save(optimizer.state_dict(), tmp_path / "state.pt")
    again = [nn.Parameter(value.detach().clone()) for value in values]
    resumed = make_optimizer(partial(AdamW, lr=0.5), groups(again), master_weights=True)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt"))
    assert all(map(torch.equal, resumed.masters, optimizer.masters))
    for number in range(3, 6):
        step(optimizer, values, number)
        step(resumed, again, number)
    assert all(map(torch.equal, again, values))
    assert all(map(torch.equal, resumed.masters, optimizer.masters))


def test_gradients_are_clipped_in_float32_and_weights_are_their_copies_rounded(folder):
    module = SFTModule(
        Policy(str(folder), dtype="bfloat16"),
        lambda params: torch.optim.SGD(params, 0.5),
        lambda optimizer: torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5),
        master_weights=True,
    )
    trainer = quiet(max_steps=1, gradient_clip_val=0.01)
    trainer.fit(module, data(batch_size=4))
    (optimizer,) = trainer.optimizers
    assert isinstance(optimizer, MasterWeights)
    start = Policy(str(folder), dtype="bfloat16")
    start.load()
    before = dict(start.named_parameters())
    pairs = dict(optimizer.pairs)
    named = {n: v for n, v in module.policy.named_parameters() if v.requires_grad}
    assert len(pairs) == len(named) > 10
    moved = [pairs[value].detach() - before[name].detach().float() for name, value in named.items()]
    assert (
        0
        < torch.stack([m.norm() for m in moved]).norm().item()
        == pytest.approx(0.01 * 0.5, rel=1e-3)
    )
    assert all(torch.equal(value, pairs[value].bfloat16()) for value in named.values())
    assert optimizer.inner.param_groups[0]["lr"] == 0.25  # after the step; schedules reach it


def test_reinforcement_learns_with_master_weights_and_keeps_its_policy_in_bfloat16(folder):
    one = GRPOModule(
        Policy(str(folder), dtype="bfloat16"),
        {"capitals": Capitals()},
        group_size=4,
        sampling=Sampling(max_tokens=6),
        beta=0.04,
        updates=2,
        optimizer=partial(AdamW, lr=1e-3),
        master_weights=True,
    )
    one.configure_model()
    before = weights(one)
    quiet(max_steps=4, max_epochs=-1).fit(one, data(batch_size=8))
    metrics = one.step_record.metrics
    assert all(torch.tensor(value).isfinite() for value in metrics.values())
    assert metrics["train/grad_norm"] > 0 and metrics["train/kl"] > 0
    assert {value.dtype for value in one.policy.parameters()} == {torch.bfloat16}
    assert difference(before, weights(one)) > 1e-3


@pytest.mark.parametrize(
    ("policy", "said"),
    [({}, "are in float32"), ({"dtype": "bfloat16", "adapter": Lora(rank=2)}, "adapters are in")],
)
def test_weights_that_need_no_copies_are_refused(policy, said, folder):
    with pytest.raises(BadInput, match=f"master_weights holds float32 copies .*{said}"):
        ReasoningModule(Policy(str(folder), **policy), master_weights=True)


def test_optimizers_in_8_bits_are_refused():
    from bitsandbytes.optim import AdamW8bit

    with pytest.raises(BadInput, match="master_weights are updated in float32, and adamw of bits"):
        make_optimizer(AdamW8bit, groups(parameters()), master_weights=True)
