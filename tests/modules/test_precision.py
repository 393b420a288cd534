"""Reinforcement in low precision."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision

from reasonrft.errors import BadInput
from reasonrft.modules import GRPOModule
from reasonrft.policy import Lora, Policy
from reasonrft.rollout import Sampling
from tests.datamodules.reading import quiet
from tests.modules.fitting import Capitals, data, difference, weights

pytestmark = pytest.mark.filterwarnings("ignore")

ROUNDING = 5.6 / 256
"""A random model's log-probabilities are about -5.6, of 260 tokens; bfloat16 has eight bits."""

LOW: list[tuple[str, dict[str, Any]]] = [
    ("bf16-mixed", {}),
    ("bf16-mixed", {"train_parts": ("language", "tower")}),
    ("32-true", {"dtype": "bfloat16"}),
    ("bf16-mixed", {"dtype": "bfloat16", "adapter": Lora(rank=2)}),
]


@pytest.fixture(scope="module")
def folder(family_folder) -> Path:
    return family_folder("qwen3-vl")


def module(folder: Path, **policy: Any) -> GRPOModule:
    return GRPOModule(
        Policy(str(folder), **policy),
        {"capitals": Capitals()},
        group_size=4,
        sampling=Sampling(max_tokens=8),
        beta=0.04,
        optimizer=lambda params: torch.optim.SGD(params, 3.0),
    )


def fit(one: GRPOModule, **options: Any) -> list[dict[str, float]]:
    """Metrics of two steps."""
    metrics = []
    one.on_train_batch_end = lambda *_: metrics.append(dict(one.step_record.metrics))
    quiet(max_steps=2, max_epochs=-1, **options).fit(one, data(batch_size=8))
    return metrics


@pytest.mark.parametrize(("precision", "policy"), LOW)
def test_steps_in_bfloat16_are_on_policy_and_learn(precision, policy, folder):
    one = module(folder, **policy)
    one.configure_model()
    before = weights(one)
    first, second = fit(one, precision=precision)
    for metrics in (first, second):
        assert all(torch.tensor(value).isfinite() for value in metrics.values())
        assert 1e-4 < metrics["train/rollout_logprob_diff"] < ROUNDING
        assert metrics["train/clip_fraction"] == 0
    # The reference has weights of its own, and no cast of the policy's is kept for it.
    assert abs(first["train/kl"]) < 1e-6 and second["train/kl"] > 1e-4
    assert difference(before, weights(one)) > 1e-4
    assert one.policy.supports_shared_prefix


@pytest.mark.parametrize(
    "policy", [{}, {"train_parts": ("language", "tower")}, {"adapter": Lora(rank=2)}]
)
def test_towers_that_convolve_take_pixels_in_bfloat16(policy, family_folder):
    one = module(family_folder("fast-vlm"), dtype="bfloat16", **policy)
    assert all(torch.tensor(list(m.values())).isfinite().all() for m in fit(one))


def test_steps_in_float32_sample_from_what_is_scored(folder):
    for metrics in fit(module(folder), precision="32-true"):
        assert metrics["train/rollout_logprob_diff_max"] < 1e-4


def test_scaled_gradients_are_refused(folder):
    halves = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu"))
    with pytest.raises(BadInput, match="16-mixed scales gradients"):
        fit(module(folder), plugins=[halves])


@pytest.mark.parametrize("precision", ["bf16-true", "16-true"])
def test_precisions_that_convert_batches_are_refused(precision, folder):
    with pytest.raises(BadInput, match=f"precision {precision} converts batches"):
        fit(module(folder), precision=precision)
