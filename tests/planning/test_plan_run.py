"""What `plan` counts, held to the bytes of real models, optimizers and caches."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from reasonrft.datamodules import CountingDataModule
from reasonrft.losses import PerceptionLoss
from reasonrft.modules import GRPOModule, SFTModule
from reasonrft.planning.knobs import knobs
from reasonrft.planning.plan_run import Plan, plan_run
from reasonrft.planning.ranks_share import Ranks, Units, share
from reasonrft.policy import Lora, Policy
from reasonrft.rollout import NoisyRollout, Sampling
from tests.datamodules.reading import MadeUp
from tests.modules.fitting import PROBLEMS, Capitals

LORA = Lora(rank=4)
POLICIES: list[dict[str, Any]] = [
    {},
    {"train_parts": ("language", "projector", "tower")},
    {"dtype": "bfloat16"},
    {"adapter": LORA},
    {"adapter": LORA, "train_parts": ("tower",)},
    {"adapter": LORA, "quantize": "nf4"},
    {"activation_checkpointing": True},
]


@pytest.fixture(scope="module")
def folder(family_folder) -> Path:
    return family_folder("qwen3-vl")


def data(**options: Any) -> CountingDataModule:
    return CountingDataModule(MadeUp(PROBLEMS), batch_size=2, max_tokens=128, **options)


def planned(
    folder: Path,
    optimizer: Any = torch.optim.AdamW,
    beta: float = 0.04,
    perception: PerceptionLoss | None = None,
    noisy_rollout: NoisyRollout | None = None,
    **policy: Any,
) -> Plan:
    module = GRPOModule(
        Policy(str(folder), **policy),
        {"capitals": Capitals()},
        group_size=4,
        sampling=Sampling(max_tokens=8),
        beta=beta,
        perception=perception,
        noisy_rollout=noisy_rollout,
        optimizer=lambda params: optimizer(params, lr=1e-3),
    )
    return plan_run(module, data(), {"limit_val_batches": 0}, on_gpu=False)


def tensors(values: Any) -> Iterator[torch.Tensor]:
    """All tensors in an optimizer's state."""
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, dict):
        for value in values.values():
            yield from tensors(value)


def held(values: Any) -> int:
    """Bytes of tensors, those that share memory counted once."""
    storages = {value.untyped_storage().data_ptr(): value.untyped_storage() for value in values}
    return sum(storage.nbytes() for storage in storages.values())


@pytest.mark.parametrize("options", POLICIES)
def test_weights_gradients_and_reference_are_those_of_the_loaded_policy(options, folder):
    phases = planned(folder, **options).phases
    update = phases["update"]
    policy = Policy(str(folder), **options)
    policy.load()
    weights = held([*policy.parameters(), *policy.buffers()])
    states = [getattr(value, "quant_state", None) for value in policy.parameters()]
    scales = [(s.absmax, s.offset, s.state2.absmax) for s in states if s is not None]
    weights += sum(tensor.nbytes for state in scales for tensor in state)
    assert update["weights"] + update.get("weights in 4 bits", 0) == weights
    trained = sum(value.nbytes for value in policy.parameters() if value.requires_grad)
    assert update["reference"] == trained
    assert phases["optimizer"]["gradients"] == trained


def momentum(params: Any, lr: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(params, lr, momentum=0.9)


def eight_bits(params: Any, lr: float) -> Any:
    from bitsandbytes.optim import AdamW8bit

    return AdamW8bit(params, lr, min_8bit_size=512)


@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.SGD, momentum, eight_bits])
def test_the_state_of_an_optimizer_is_that_after_a_step(optimizer, folder):
    predicted = planned(folder, optimizer).phases["update"].get("optimizer", 0)
    policy = Policy(str(folder))
    policy.load()
    made = optimizer([value for value in policy.parameters() if value.requires_grad], lr=1e-3)
    for group in made.param_groups:
        for value in group["params"]:
            value.grad = torch.zeros_like(value)
    made.step()
    assert predicted == held(tensors(dict(made.state)))


def test_master_weights_are_planned_as_part_of_the_optimizer(folder):
    module = SFTModule(Policy(str(folder), dtype="bfloat16"), master_weights=True)
    phases = plan_run(module, data(), {"limit_val_batches": 0}, on_gpu=False).phases
    trained = sum(value.numel() for value in module.policy.parameters() if value.requires_grad)
    steps = 4 * sum(1 for value in module.policy.parameters() if value.requires_grad)
    # A copy and two moments in float32, and the number of steps beside each.
    assert phases["update"]["optimizer"] == 12 * trained + steps
    assert phases["update"]["gradients"] == 2 * trained
    assert phases["optimizer"]["gradients"] == 4 * trained  # none in bfloat16 beside them


def test_without_beta_there_is_no_reference(folder):
    phases = planned(folder, beta=0.0).phases
    assert "reference" not in phases and "reference" not in phases["update"]


def test_recipes_are_planned(folder):
    plain = planned(folder).phases
    both = PerceptionLoss(gradient="both")
    recipes = planned(folder, perception=both, noisy_rollout=NoisyRollout()).phases
    # Activations with the image and with it masked; prompts with the image and with it distorted.
    assert recipes["update"]["activations"] > 1.5 * plain["update"]["activations"]
    assert recipes["rollout"]["cache"] > 1.2 * plain["rollout"]["cache"]


def test_the_cache_is_one_prompt_and_the_completions_of_its_group(folder):
    module = GRPOModule(Policy(str(folder)), {"capitals": Capitals()}, 4, Sampling(max_tokens=300))
    plan = plan_run(module, data(), {"limit_val_batches": 0}, on_gpu=False)
    # 2 layers of keys and values, 2 heads of 16 numbers in float32.
    token = 2 * 2 * 2 * 16 * 4
    # The prompts once; rows have room for all tokens but the last, which is not computed.
    prompt, completion = -(-plan.step["prompt_tokens"] // 16) * 16, 304
    states = token * (2 * prompt + 2 * 4 * completion)
    # Ids, log-probs and masks beside it.
    assert states <= plan.phases["rollout"]["cache"] <= 1.05 * states


def test_checkpointing_and_micro_batches_lower_the_peak_of_the_update(folder):
    plain, again = planned(folder), planned(folder, activation_checkpointing=True)
    assert again.phases["update"]["activations"] < plain.phases["update"]["activations"]
    assert again.phases["update"]["weights"] == plain.phases["update"]["weights"]


def test_fine_tuning_is_planned_with_its_longest_examples(folder):
    module = SFTModule(Policy(str(folder)))
    plan = plan_run(module, data(target="answer"), {"limit_val_batches": 0}, on_gpu=False)
    assert (
        plan.prompts
        == "what data.max_tokens allows: 128 tokens, 32 of them responses, 1 image(s) each"
    )
    assert plan.step == {"examples": 2, "prompt_tokens": 96, "tokens": 256}
    assert set(plan.phases) == {"update", "optimizer"}


def test_ranks_share_weights_and_gather_those_that_they_compute_with():
    units = Units(all=100, root=20, layer=10, trained=60, trained_root=20, trained_layer=4)
    parts = {"weights": 100, "gradients": 60, "optimizer": 120, "weights in 4 bits": 7, "head": 5}
    one = share("update", parts, Ranks(4, 2, "fsdp"), units)
    # An eighth of each, rounded up; the root and two layers.
    assert one == {
        "weights": 13,
        "gradients": 8,
        "optimizer": 15,
        "weights in 4 bits": 7,
        "head": 5,
        "weights gathered": 20 + 2 * 10,
        "gradients of all ranks": 20 + 2 * 4,
    }
    assert share("rollout", parts, Ranks(4, 2, "fsdp", 4), units)["weights gathered"] == 100
    assert share("update", parts, Ranks(4, 2, "fsdp", 4), units)["weights"] == 25
    assert share("update", parts, Ranks(4, 2, "ddp"), units) == parts | {
        "gradients of all ranks": 60
    }
    assert share("update", parts, Ranks(), units) == parts


def test_the_mildest_knob_comes_first(folder):
    module = GRPOModule(Policy(str(folder)), {"capitals": Capitals()}, 4)
    first = {
        phase: str(knobs(phase, module, 4, 8)[0])
        for phase in ("evaluation", "rollout", "reference", "update", "optimizer")
    }
    assert first == {
        "evaluation": "--data.eval_batch_size=4",
        "rollout": "--data.batch_size=2",
        "reference": "--model.micro_batch_tokens=8192",
        "update": "--model.policy.activation_checkpointing=true",
        "optimizer": "--config lora.yaml",
    }
