import json
import os
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import GenerationConfig

from reasonrft.errors import BadInput
from reasonrft.policy import Policy
from reasonrft.policy.encoder import Encoder
from reasonrft.policy.hub_paths import resolve
from reasonrft.policy.loading import load_model
from reasonrft.policy.processors import load_processor
from tests.policy.families import FAMILIES, ask, noise


def copy_of(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def edit(file, **changes):
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_loads_reads_and_answers(family, family_folder):
    folder = str(family_folder(family))
    model, processor = load_model(folder, "float32"), load_processor(folder)
    named = json.loads((family_folder(family) / "processor_config.json").read_text())
    assert type(processor).__name__ == named["processor_class"]
    assert type(processor.image_processor).__name__.endswith("Pil")
    lengths = []
    for images in ([], [noise(0)], [noise(0), noise(1)]):
        prompt = ask(processor, "How many?", *images)
        answer = model.generate(**prompt, do_sample=False, max_new_tokens=4)
        assert torch.equal(answer, model.generate(**prompt, do_sample=False, max_new_tokens=4))
        assert answer.shape[1] > prompt["input_ids"].shape[1]
        lengths.append(prompt["input_ids"].shape[1])
    assert lengths[0] < min(lengths[1:])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_processor_goes_to_loader_workers(family, family_folder):
    processor = load_processor(str(family_folder(family)))
    sent = pickle.loads(pickle.dumps(processor))
    here, there = (ask(one, "How many?", noise(0)) for one in (processor, sent))
    assert here.keys() == there.keys()
    assert all(torch.equal(here[name], there[name]) for name in here)


def test_pixel_limits(family_folder):
    folder = str(family_folder("qwen2-vl"))
    small = ask(load_processor(folder, max_pixels=28 * 28 * 4), "?", noise(0, 280, 140))
    large = ask(load_processor(folder, min_pixels=28 * 28 * 16), "?", noise(0, 28, 28))
    # Of 28x28 pixels each, in patches of 14x14: at most 4, and at least 16.
    assert small["pixel_values"].shape[0] <= 4 * 4
    assert large["pixel_values"].shape[0] >= 16 * 4


@pytest.mark.parametrize("family", ["internvl", "gemma3", "idefics3", "pixtral", "mllama"])
def test_families_without_pixel_limits_say_so(family, family_folder):
    with pytest.raises(BadInput, match="cannot have min_pixels or max_pixels: its"):
        load_processor(str(family_folder(family)), max_pixels=10_000)


def test_pixel_limits_that_leave_nothing_between_them(family_folder):
    with pytest.raises(BadInput, match=r"min_pixels 9,000 must be positive and at most"):
        load_processor(str(family_folder("qwen2-vl")), min_pixels=9000, max_pixels=100)


@pytest.mark.parametrize("path", ["./gone", "/gone/model", "gone", "models/gone", "~/gone/model"])
def test_a_folder_that_is_not_there(path, monkeypatch, tmp_path):
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=r"no folder .*gone.*the Hub's owner/name"):
        resolve(path)


def test_a_name_is_left_to_the_hub(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert resolve("Qwen/Qwen2-VL-2B-Instruct") == "Qwen/Qwen2-VL-2B-Instruct"


def test_a_folder_is_preferred_to_the_model_of_its_name_that_ships(
    monkeypatch, tmp_path, family_folder
):
    shutil.copytree(family_folder("qwen3-vl"), tmp_path / "tiny")
    monkeypatch.chdir(tmp_path)
    assert resolve("tiny") == "tiny"


def test_a_name_that_the_hub_cannot_give(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(BadInput, match=r"^nobody/nothing cannot be loaded from the Hub: "):
        load_model("nobody/nothing")
    with pytest.raises(BadInput, match=r"^nobody/nothing cannot be loaded from the Hub: "):
        load_processor("nobody/nothing")


def test_weights_in_other_formats_are_not_loaded(family_folder, tmp_path):
    folder = copy_of(family_folder("qwen3-vl"), tmp_path)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    os.remove(folder / "model.safetensors")
    with pytest.raises(BadInput, match=r"has no \*.safetensors; weights in other formats"):
        load_model(str(folder))


def test_an_adapter_is_not_a_model(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(BadInput, match="holds an adapter, not a model"):
        load_model(str(tmp_path))


def test_damaged_weights(family_folder, tmp_path):
    folder = copy_of(family_folder("qwen3-vl"), tmp_path)
    (folder / "model.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(BadInput, match="cannot be loaded: "):
        load_model(str(folder))


def test_weights_that_are_missing_are_not_made_up(family_folder, tmp_path):
    folder = copy_of(family_folder("qwen3-vl"), tmp_path)
    weights = load_file(folder / "model.safetensors")
    del weights["model.language_model.norm.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadInput, match=r"lacks weights .*model.language_model.norm.weight"):
        load_model(str(folder))


@pytest.mark.parametrize("family", ["qwen3-vl", "gemma3", "idefics3"])
def test_folders_without_a_tokenizer(family, family_folder, tmp_path):
    folder = copy_of(family_folder(family), tmp_path)
    os.remove(folder / "tokenizer.json")
    os.remove(folder / "tokenizer_config.json")
    with pytest.raises(BadInput, match="tokenizer"):
        load_processor(str(folder))


def test_models_that_were_not_taught_to_chat(family_folder, tmp_path):
    folder = copy_of(family_folder("qwen3-vl"), tmp_path)
    os.remove(folder / "chat_template.jinja")
    with pytest.raises(BadInput, match=r"has no chat template.*chat_template\.jinja"):
        load_processor(str(folder))
    template = {"chat_template": "{{ messages[0].content }}"}
    edit(folder / "tokenizer_config.json", **template)
    assert load_processor(str(folder)).chat_template == template["chat_template"]


@pytest.mark.parametrize("kind", ["gpt2", "phi4_multimodal"])
def test_models_of_other_kinds(kind, tmp_path, family_folder):
    folder = copy_of(family_folder("qwen3-vl"), tmp_path)
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(BadInput, match=rf"is a {kind} model, which is none of .*families"):
        load_model(str(folder))


def test_code_that_comes_with_weights_is_not_run(tmp_path, family_folder):
    folder = copy_of(family_folder("qwen3-vl"), tmp_path)
    auto = {"AutoConfig": "code.Config", "AutoModelForImageTextToText": "code.Model"}
    edit(folder / "config.json", model_type="unheard-of", auto_map=auto)
    (folder / "code.py").write_text("raise SystemExit('this ran')")
    for load in (load_model, load_processor):
        with pytest.raises(BadInput, match="trust_remote_code"):
            load(str(folder))


def test_types_and_attentions_that_do_not_exist(family_folder):
    folder = str(family_folder("qwen3-vl"))
    for dtype in ("float31", "int8", "nn"):
        with pytest.raises(BadInput, match="is none of auto, float32, bfloat16 and float16"):
            load_model(folder, dtype)
    with pytest.raises(BadInput, match=r"cannot be loaded: .*ttention"):
        load_model(folder, attention="sideways")


def test_generation_settings_of_a_checkpoint_do_not_count(tmp_path, family_folder):
    folder = copy_of(family_folder("qwen3-vl"), tmp_path)
    edit(
        folder / "generation_config.json",
        do_sample=True,
        top_k=1,
        top_p=0.001,
        temperature=0.1,
        repetition_penalty=1.05,
        eos_token_id=[258, 256],
    )
    given = load_model(str(folder)).generation_config
    assert given.eos_token_id == [258, 256]
    drawn, _ = load_model(str(folder))._prepare_generation_config(GenerationConfig(do_sample=True))
    assert (drawn.top_k, drawn.top_p, drawn.temperature) == (0, 1.0, 1.0)
    assert drawn.repetition_penalty == 1.0


def test_weights_take_the_type_that_was_asked_for(family_folder):
    folder = str(family_folder("qwen3-vl"))
    assert load_model(folder).dtype == torch.float32
    assert load_model(folder, "bfloat16").dtype == torch.bfloat16


def test_attention_on_cuda_needs_no_plan_for_each_shape(family_folder):
    torch.backends.cuda.enable_cudnn_sdp(True)
    Policy(str(family_folder("qwen3-vl"))).load()
    assert not torch.backends.cuda.cudnn_sdp_enabled()


@pytest.mark.parametrize("name", ["evil.bin", "../model.safetensors", "/model.safetensors", 1])
def test_an_index_names_safetensors_of_its_folder_alone(name, tmp_path, family_folder):
    folder = copy_of(family_folder("qwen2-vl"), tmp_path)
    content = {"metadata": {}, "weight_map": {"lm_head.weight": name}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(content))
    with pytest.raises(BadInput, match="names other files than"):
        load_model(str(folder))


@pytest.mark.parametrize("quantize", [None, "nf4"])
def test_a_checkpoint_has_no_attention_of_its_own(quantize, tmp_path, family_folder):
    # Its name may be that of a repository on the Hub, whose code transformers would run.
    folder = copy_of(family_folder("qwen2-vl"), tmp_path)
    config = json.loads((folder / "config.json").read_text())
    for part in (config, config["text_config"], config["vision_config"]):
        part |= {"attn_implementation": "some/kernel", "_attn_implementation": "some/kernel"}
    (folder / "config.json").write_text(json.dumps(config))
    model = load_model(str(folder), quantize=quantize)
    parts = (model.config, model.config.text_config, model.config.vision_config)
    assert [part._attn_implementation for part in parts] == ["sdpa"] * 3


@pytest.mark.parametrize(
    "template", ["{{ ''.__class__.__mro__ }}", "{% for %}", "{{ cycler.__init__.__globals__ }}"]
)
def test_a_chat_template_reaches_nothing(template, tmp_path, family_folder):
    folder = copy_of(family_folder("qwen2-vl"), tmp_path)
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(BadInput, match="chat template cannot be used: "):
        Encoder(load_processor(str(folder)))
