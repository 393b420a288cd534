import json
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from reasonrft.errors import BadInput
from reasonrft.policy.adapters import Lora, attach
from reasonrft.policy.export_model import save_adapter, save_merged
from reasonrft.policy.loading import load_model
from reasonrft.policy.processors import load_processor
from tests.policy.families import FAMILIES, ask, noise
from tests.policy.test_adapters import logits_of, stir

PLAIN = """
import json, sys
from pathlib import Path
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

for case in map(json.loads, sys.argv[1:]):
    here, prompt = Path(case["here"]), load_file(Path(case["here"]) / "prompt.safetensors")
    base = AutoModelForImageTextToText.from_pretrained(case["base"], dtype=torch.float32)
    merged = AutoModelForImageTextToText.from_pretrained(here / "merged", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(here / "merged")
    written = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)
    with torch.no_grad():
        outcome = {"base": base(**prompt).logits, "merged": merged(**prompt).logits}
        adapted = PeftModel.from_pretrained(base, here / "adapter")
        outcome["adapter"] = adapted(**prompt).logits
    images = AutoImageProcessor.from_pretrained(here / "merged")
    save_file(outcome, here / "logits.safetensors")
    (here / "texts.json").write_text(json.dumps([written, type(images).__name__]))
assert not [name for name in sys.modules if name.startswith("reasonrft")]
"""


def export(family, base, here, quantize=None):
    """Train nothing, but save as if: an adapter, the merged model, and what both should say."""
    model = load_model(str(base), "float32", quantize=quantize)
    processor = load_processor(str(base))
    prompt = ask(processor, "How many?", noise(0), noise(1, 60, 30))
    attach(model, Lora(rank=4, alpha=8))
    stir(model)
    attached = logits_of(model, prompt)
    save_adapter(model, here / "adapter")
    save_merged(model, processor, here / "merged")
    # An export leaves the model that is being trained as it was.
    assert torch.equal(logits_of(model, prompt), attached)
    tensors = {name: value.contiguous() for name, value in prompt.items()}
    save_file(tensors, here / "prompt.safetensors")
    return attached


@pytest.fixture(scope="module")
def plain(family_folder, tmp_path_factory):
    """What libraries alone make of our exports, and what our models said before."""
    folders = {family: tmp_path_factory.mktemp("export") for family in FAMILIES}
    folders["qwen2-vl in 4 bits"] = tmp_path_factory.mktemp("export")
    attached, cases = {}, []
    for case, here in folders.items():
        family, _, quantized = case.partition(" ")
        base = family_folder(family)
        attached[case] = export(family, base, here, "nf4" if quantized else None)
        cases.append(json.dumps({"here": str(here), "base": str(base)}))
    subprocess.run([sys.executable, "-W", "ignore", "-c", PLAIN, *cases], check=True, cwd="/")
    return folders, attached


@pytest.mark.parametrize("family", FAMILIES)
def test_exports_say_the_same_in_plain_libraries(family, plain, family_folder):
    folders, attached = plain
    outcome = load_file(folders[family] / "logits.safetensors")
    torch.testing.assert_close(outcome["adapter"], attached[family], atol=1e-5, rtol=0)
    torch.testing.assert_close(outcome["merged"], attached[family], atol=1e-5, rtol=0)
    assert (outcome["base"] - attached[family]).abs().max() > 1e-3
    written, images = json.loads((folders[family] / "texts.json").read_text())
    tokenizer = load_processor(str(family_folder(family))).tokenizer
    said = [{"role": "user", "content": "Hi"}]
    assert written == tokenizer.apply_chat_template(said, tokenize=False)
    assert images == type(load_processor(str(family_folder(family))).image_processor).__name__


def test_an_adapter_of_four_bits_is_merged_into_the_full_weights(plain):
    folders, attached = plain
    case = "qwen2-vl in 4 bits"
    outcome = load_file(folders[case] / "logits.safetensors")
    torch.testing.assert_close(outcome["merged"], outcome["adapter"], atol=1e-5, rtol=0)
    # In 4 bits the model said something else: what was merged is not the rounded weights.
    assert (outcome["merged"] - attached[case]).abs().max() > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_our_processor_reads_an_export_as_the_base(family, plain, family_folder):
    folders, _ = plain
    ours, theirs = (
        ask(load_processor(str(folder)), "How many?", noise(0), noise(1))
        for folder in (folders[family] / "merged", family_folder(family))
    )
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_model_without_an_adapter_is_saved_as_it_is(family_folder, tmp_path):
    base = str(family_folder("qwen3-vl"))
    model, processor = load_model(base, "float32"), load_processor(base, max_pixels=8192)
    prompt = ask(processor, "How many?", noise(0, 90, 90))
    for parameter in model.parameters():
        parameter.data += 0.01
    (tmp_path / "policy").mkdir()
    for _ in range(2):  # the second takes the place of the first
        save_merged(model, processor, tmp_path / "policy")
    again = load_model(str(tmp_path / "policy"), "float32")
    assert torch.equal(logits_of(model, prompt), logits_of(again, prompt))
    same = ask(load_processor(str(tmp_path / "policy")), "How many?", noise(0, 90, 90))
    assert torch.equal(same["pixel_values"], prompt["pixel_values"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["policy"]


def test_other_peoples_files_are_not_overwritten(family_folder, tmp_path):
    base = str(family_folder("qwen3-vl"))
    for name in ("thesis.tex", "config.json"):
        (tmp_path / name).write_text("")
    with pytest.raises(BadInput, match="holds other files than a model's"):
        save_merged(load_model(base), load_processor(base), tmp_path)
    assert {entry.name for entry in tmp_path.iterdir()} == {"thesis.tex", "config.json"}


def test_settings_for_videos_go_along(family_folder, tmp_path):
    base = shutil.copytree(family_folder("qwen3-vl"), tmp_path / "base")
    (base / "video_preprocessor_config.json").write_text('{"fps": 2}')
    save_merged(load_model(str(base)), load_processor(str(base)), tmp_path / "policy")
    assert (tmp_path / "policy/video_preprocessor_config.json").read_text() == '{"fps": 2}'
