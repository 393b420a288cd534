"""The folder of an adapter, given as the policy."""

import json
import logging
import os
import shutil

import pytest
import torch

from reasonrft.errors import BadInput
from reasonrft.policy import Lora, Policy
from reasonrft.policy.adapters import adapter_parameters
from reasonrft.policy.export_model import save_adapter
from tests.policy.families import ask, noise
from tests.policy.test_adapters import logits_of, stir
from tests.policy.test_loading import edit


def trained(path: str, folder, **options) -> Policy:
    policy = Policy(path, adapter=Lora(rank=3, alpha=5), **options)
    policy.load()
    stir(policy.model)
    save_adapter(policy.model, folder)
    return policy


def says_the_same(one: Policy, other: Policy) -> bool:
    prompt = ask(other.processor, "How many?", noise(0))
    return torch.equal(logits_of(one.model, prompt), logits_of(other.model, prompt))


@pytest.fixture
def adapter(family_folder, tmp_path):
    trained(str(family_folder("qwen2-vl")), tmp_path / "adapter")
    return tmp_path / "adapter"


def test_it_stands_for_its_base_and_itself(family_folder, tmp_path, monkeypatch, caplog):
    base = shutil.copytree(family_folder("qwen2-vl"), tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    policy = trained(
        "base", tmp_path / "adapter"
    )  # a relative path, which is another one elsewhere
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with caplog.at_level(logging.INFO):
        again = Policy("../adapter")
    assert f"policy: adapter ../adapter on {base}" in caplog.text
    assert again.path == str(base) and again.adapter.path == "../adapter"
    again.load()
    assert says_the_same(policy, again)
    learned = {name for name, value in again.model.named_parameters() if value.requires_grad}
    assert learned == set(adapter_parameters(again.model))


def test_adapters_of_shipped_models_name_them(tmp_path):
    policy = trained("tiny", tmp_path / "adapter")
    settings = json.loads((tmp_path / "adapter/adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == "tiny"
    again = Policy(str(tmp_path / "adapter"))
    again.load()
    assert again.path == "tiny" and says_the_same(policy, again)


def test_settings_of_a_new_adapter_give_way_to_its_own(adapter):
    again = Policy(str(adapter), adapter=Lora(rank=9))
    again.load()
    assert again.model.peft_config["default"].r == 3
    assert Policy(str(adapter), adapter=Lora(path=os.path.relpath(adapter))).adapter.path


def test_its_base_in_four_bits(adapter):
    again = Policy(str(adapter), quantize="nf4")
    again.load()
    assert len(adapter_parameters(again.model)) > 0


def test_another_adapter_beside_it_is_refused(adapter):
    with pytest.raises(BadInput, match=r"is the adapter .*, and another is asked for, other"):
        Policy(str(adapter), adapter=Lora(path="other"))


def test_settings_that_do_not_name_a_base(adapter):
    edit(adapter / "adapter_config.json", base_model_name_or_path=None)
    with pytest.raises(BadInput, match="does not name its base in base_model_name_or_path"):
        Policy(str(adapter))
    edit(adapter / "adapter_config.json", base_model_name_or_path="/nowhere/base")
    with pytest.raises(BadInput, match=r"its base is not there: no folder /nowhere/base"):
        Policy(str(adapter))
    for content in ("[]", "{", "\ufffe"):
        (adapter / "adapter_config.json").write_text(content)
        with pytest.raises(BadInput, match="cannot be read as an adapter's settings"):
            Policy(str(adapter))
