"""An update asks nothing of the device until its optimizer steps.

On a CPU nothing tells the device's tensors from the host's. So they are followed: weights are the
device's, what is moved there is, and what is computed from any of those.
"""

import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from reasonrft.losses import CISPOLoss, GRPOLoss, GSPOLoss, PolicyLoss
from reasonrft.modules import micro_batches
from reasonrft.modules.micro_batches import MicroBatch
from reasonrft.modules.step_metrics import StepMetrics
from reasonrft.policy import Policy, collate, policy, prefix_attention, score, scoring
from reasonrft.rollout import Sampling
from tests.policy.problems import generate, ragged

WAITS = {"_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "bincount"}
MOVERS = (micro_batches, policy, prefix_attention, scoring)


class DeviceWaits(TorchDispatchMode):
    """Where operations wait for the device; those of transformers, which has images wait, apart."""

    def __init__(self, weights: Iterator[torch.Tensor]) -> None:
        super().__init__()
        self.on_device = WeakIdKeyDictionary()
        self.found: list[str] = []
        self.follow(list(weights))

    def follow(self, values: Any) -> None:
        for value in tree_leaves(values):
            if isinstance(value, torch.Tensor):
                self.on_device[value] = True

    def move(self, tensors: Any, device: torch.device) -> dict[str, torch.Tensor]:
        moved = {name: value.clone() for name, value in tensors.items()}
        self.follow(moved)
        return moved

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        inputs = [v for v in tree_leaves((args, kwargs)) if isinstance(v, torch.Tensor)]
        result = func(*args, **(kwargs or {}))
        if any(value in self.on_device for value in inputs):
            self.follow(result)
            name = func.overloadpacket.__name__
            masks = any(value.dtype == torch.bool for value in inputs[1:])
            # The same operation takes numbers, which are no reason to wait.
            if (name in WAITS or (name in ("index", "index_put", "index_put_") and masks)) and (
                "transformers" not in (caller := _caller())
            ):
                self.found.append(f"{name} in {caller}")
        return result


def _caller() -> str:
    """The file and line outside of torch that an operation comes from."""
    frame: Any = sys._getframe(1)
    while frame and ("/torch/" in frame.f_code.co_filename or frame.f_code.co_filename == __file__):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""


@pytest.fixture(scope="module")
def steps(family_folder) -> tuple[Policy, list[MicroBatch]]:
    """Micro-batches with images and without, of a family that has no masks in its layers."""
    policy = Policy(str(family_folder("qwen2-vl")))
    policy.load()
    rollout = generate(policy, ragged(policy), 2, Sampling(max_tokens=5))
    ones = torch.ones(4, 2)
    return policy, micro_batches.split(rollout, ones, ones, range(4), 150, corrects_sampler=True)


@pytest.mark.parametrize("loss", [GRPOLoss(), GSPOLoss(), CISPOLoss()])
def test_an_update_does_not_wait_for_its_micro_batches(loss: PolicyLoss, steps, monkeypatch):
    policy, batches = steps
    assert len(batches) > 1
    for micro_batch in batches:
        micro_batch.old_log_probs = None
    waits, metrics = DeviceWaits(policy.parameters()), StepMetrics()
    for module in MOVERS:
        monkeypatch.setattr(module, "to_device", waits.move)
    with waits:
        for micro_batch in batches:
            with torch.no_grad():
                micro_batch.reference_log_probs = score(policy, micro_batch.groups).log_probs
            scores = score(policy, micro_batch.groups)
            output = loss(micro_batch.inputs(scores.log_probs), 0.04)
            output.total.backward()
            metrics.add(micro_batch, scores, output)
        assert waits.found == []
        metrics.sums()  # it would have been noticed
    assert waits.found


def test_tensors_keep_their_values_on_the_way_to_a_device():
    given = {"ids": torch.arange(6).view(2, 3), "mask": torch.ones(2, dtype=torch.bool)}
    moved = collate.to_device(given, torch.device("cpu"))
    torch.testing.assert_close(moved, given)
