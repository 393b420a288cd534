import pytest
import torch

from reasonrft.distributed.local_optimizer import fuse, make_optimizer

OPTIMIZERS = {
    "AdamW": lambda groups: torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.1),
    "Adam": lambda groups: torch.optim.Adam(groups, lr=1e-3),
    "SGD": lambda groups: torch.optim.SGD(groups, lr=1e-3, momentum=0.9),
}


def trained(make, fused: bool) -> torch.Tensor:
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(5, 3))
    optimizer = make([{"params": [weight]}])
    if fused:
        assert fuse(optimizer, "cpu").param_groups[0]["fused"]
    for _ in range(5):
        weight.grad = torch.randn_like(weight)
        optimizer.step()
    return weight.detach()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_one_kernel_updates_as_many_do(name):
    plain, fused = (trained(OPTIMIZERS[name], way) for way in (False, True))
    torch.testing.assert_close(fused, plain, rtol=1e-6, atol=1e-7)


def test_optimizers_are_fused_where_nobody_chose_otherwise():
    weights = [torch.nn.Parameter(torch.zeros(2))]
    chosen = torch.optim.AdamW(weights, lr=1e-3, fused=False)
    assert fuse(chosen, "cpu").param_groups[0]["fused"] is False
    assert "fused" not in fuse(torch.optim.RMSprop(weights, lr=1e-3), "cpu").param_groups[0]
    on_cpu = make_optimizer(OPTIMIZERS["AdamW"], [{"params": weights}])
    assert on_cpu.param_groups[0]["fused"] is None
