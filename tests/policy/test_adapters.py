import json
import math

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from safetensors.torch import load_file, save_file

from reasonrft.errors import BadInput
from reasonrft.policy.adapters import Lora, adapter_parameters, attach
from reasonrft.policy.export_model import save_adapter
from reasonrft.policy.loading import load_model
from reasonrft.policy.parts import PARTS, parts_of
from reasonrft.policy.processors import load_processor
from tests.policy.families import FAMILIES, ask, noise


def logits_of(model, prompt):
    model.eval()
    with torch.no_grad():
        return model(**prompt).logits


def stir(model, seed=0):
    """Give an adapter weights as training would: new ones change nothing."""
    generator = torch.Generator().manual_seed(seed)
    for weight in adapter_parameters(model).values():
        weight.data += 0.02 * torch.randn(weight.shape, generator=generator)


@pytest.mark.parametrize("quantize", [None, "nf4"])
@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_of_every_family_learn_in_the_language_model_alone(
    family, quantize, family_folder
):
    folder = str(family_folder(family))
    model = load_model(folder, "float32", quantize=quantize)
    prompt = ask(load_processor(folder), "How many?", noise(0), noise(1))
    before = logits_of(model, prompt)
    attach(model, Lora(rank=2))
    torch.testing.assert_close(logits_of(model, prompt), before, atol=1e-6, rtol=0)
    parts, added = parts_of(model), adapter_parameters(model)
    assert {parts.part_of(name) for name in added} == {"language"}
    assert {name for name, p in model.named_parameters() if p.requires_grad} == set(added)
    stir(model)
    # Evaluation between two steps is what a validation loop does; it must not spoil the second.
    for _ in range(2):
        model.zero_grad()
        model.train()(**prompt).logits.square().mean().backward()
        assert all(weight.grad.abs().sum() > 0 for weight in added.values())
        model.eval().generate(**prompt, do_sample=False, max_new_tokens=2)


@pytest.mark.parametrize("family", FAMILIES)
def test_four_bits_hold_the_language_model_and_nothing_else(family, family_folder):
    model = load_model(str(family_folder(family)), "float32", quantize="nf4")
    parts = parts_of(model)
    small = {name for name, module in model.named_modules() if isinstance(module, Linear4bit)}
    linear = {name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    language = {name for name in linear if parts.part_of(name) == "language"}
    assert small == language - {parts.head}
    assert all(model.get_submodule(name).weight.quant_type == "nf4" for name in small)
    assert all(model.get_submodule(name).weight.quant_state.nested for name in small)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("part", PARTS)
def test_adapters_go_where_they_are_asked_to(family, part, family_folder):
    model = load_model(str(family_folder(family)))
    parts = parts_of(model)
    # Gemma 3 projects by a parameter of its own, and the tower of this FastVLM convolves.
    if (family, part) in (("gemma3", "projector"), ("fast-vlm", "tower")):
        with pytest.raises(BadInput, match=f"no linear layer in {part}"):
            attach(model, Lora(rank=2), [part])
        return
    attach(model, Lora(rank=2), [part])
    assert {parts.part_of(name) for name in adapter_parameters(model)} == {part}


def test_adapters_on_named_layers(family_folder):
    model = load_model(str(family_folder("qwen2-vl")))
    attach(model, Lora(rank=2, targets=["q_proj", "v_proj"]))
    # 2 layers, each with 2 targets of 2 matrices.
    assert len(adapter_parameters(model)) == 2 * 2 * 2
    assert all(".q_proj." in name or ".v_proj." in name for name in adapter_parameters(model))


def test_adapters_are_in_full_precision_whatever_the_model_is(family_folder):
    model = load_model(str(family_folder("qwen2-vl")), "bfloat16")
    attach(model, Lora(rank=2))
    assert {weight.dtype for weight in adapter_parameters(model).values()} == {torch.float32}


def test_names_of_layers_that_do_not_exist(family_folder):
    model = load_model(str(family_folder("qwen2-vl")))
    with pytest.raises(BadInput, match=r"no linear layer in language is called wq: .*q_proj"):
        attach(model, Lora(targets=["wq"]))


@pytest.mark.parametrize(
    "options",
    [
        {"rank": 0},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"dropout": math.nan},
        {"alpha": 0},
        {"alpha": -1},
        {"alpha": math.inf},
        {"alpha": math.nan},
    ],
)
def test_sizes_that_make_no_adapter(options):
    (name,) = options
    with pytest.raises(BadInput, match=f"adapter's {name} must be"):
        Lora(**options)


@pytest.fixture
def saved(family_folder, tmp_path):
    model = load_model(str(family_folder("qwen2-vl")), "float32")
    attach(model, Lora(rank=3, alpha=5))
    stir(model)
    save_adapter(model, tmp_path / "adapter")
    return model, tmp_path / "adapter"


def test_a_saved_adapter_goes_on(saved, family_folder):
    model, folder = saved
    again = load_model(str(family_folder("qwen2-vl")), "float32")
    attach(again, Lora(path=str(folder)))
    prompt = ask(load_processor(str(family_folder("qwen2-vl"))), "?", noise(0))
    assert torch.equal(logits_of(model, prompt), logits_of(again, prompt))
    trained = {name for name, weight in again.named_parameters() if weight.requires_grad}
    assert trained == set(adapter_parameters(model))


def test_an_adapter_of_another_model(saved, family_folder):
    _, folder = saved
    other = load_model(str(family_folder("idefics3")))
    with pytest.raises(BadInput, match="is an adapter of another model: "):
        attach(other, Lora(path=str(folder)))


def test_an_adapter_of_other_shapes(saved, family_folder):
    _, folder = saved
    settings = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**settings, "r": 7}))
    with pytest.raises(BadInput, match="is an adapter of another model: "):
        attach(load_model(str(family_folder("qwen2-vl"))), Lora(path=str(folder)))


def test_an_adapter_that_lacks_weights(saved, family_folder):
    _, folder = saved
    weights = load_file(folder / "adapter_model.safetensors")
    weights.pop(min(weights))
    save_file(weights, folder / "adapter_model.safetensors")
    with pytest.raises(BadInput, match=r"is an adapter of another model: .* has no match"):
        attach(load_model(str(family_folder("qwen2-vl"))), Lora(path=str(folder)))


def test_folders_without_an_adapter(tmp_path, family_folder):
    model = load_model(str(family_folder("qwen2-vl")))
    with pytest.raises(BadInput, match=r"it has no adapter_config\.json"):
        attach(model, Lora(path=str(tmp_path)))
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.bin").write_bytes(b"")
    with pytest.raises(BadInput, match=r"it has no adapter_model\.safetensors"):
        attach(model, Lora(path=str(tmp_path)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"megatron_config": {"a": 1}, "megatron_core": "megatron.own"}, "names code"),
        ({"auto_mapping": {"parent_library": "megatron.own"}}, "names code"),
        ({"peft_type": "PROMPT_TUNING"}, "only LORA adapters are loaded"),
        ({"peft_type": None}, "only LORA adapters are loaded"),
    ],
)
def test_settings_of_an_adapter_name_no_code(
    settings, message, family_folder, tmp_path, monkeypatch
):
    model = load_model(str(family_folder("qwen2-vl")), "float32")
    attach(model, Lora(rank=2))
    save_adapter(model, tmp_path / "adapter")
    (tmp_path / "megatron").mkdir()
    (tmp_path / "megatron" / "own.py").write_text("raise SystemExit('this was run')")
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "adapter" / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))
    again = load_model(str(family_folder("qwen2-vl")), "float32")
    with pytest.raises(BadInput, match=message):
        attach(again, Lora(path=str(tmp_path / "adapter")))
