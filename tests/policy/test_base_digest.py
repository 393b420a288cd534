"""An adapter knows the weights that it was trained on."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from reasonrft.errors import BadInput
from reasonrft.policy.adapters import Lora, attach
from reasonrft.policy.base_digest import base_digest, checkpoint_digest
from reasonrft.policy.export_model import save_adapter
from reasonrft.policy.loading import load_model
from tests.policy.families import FAMILIES


def moved(folder, to, part: str = "layers.", by: float = 1e-3):
    """A checkpoint of the same shapes, of which some weights are others."""
    shutil.copytree(folder, to)
    weights = load_file(to / "model.safetensors")
    for name, value in weights.items():
        weights[name] = value + by if part in name else value
    save_file(weights, to / "model.safetensors", {"format": "pt"})
    return to


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_saved_again_is_the_same_base(family, family_folder, tmp_path):
    folder = family_folder(family)
    model = load_model(str(folder))
    assert base_digest(model) == checkpoint_digest(str(folder)) != ""
    model.save_pretrained(tmp_path / "shards", max_shard_size="100KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
    assert checkpoint_digest(str(tmp_path / "shards")) == base_digest(model)


def test_types_and_four_bits_do_not_matter_and_values_do(family_folder, tmp_path):
    folder = family_folder("qwen2-vl")
    known = checkpoint_digest(str(folder))
    assert base_digest(load_model(str(folder), "bfloat16")) == known
    assert base_digest(load_model(str(folder), quantize="nf4")) == known
    load_model(str(folder), "bfloat16").save_pretrained(tmp_path / "narrow")
    load_model(str(tmp_path / "narrow"), "float32").save_pretrained(tmp_path / "wide")
    narrow, wide = (checkpoint_digest(str(tmp_path / name)) for name in ("narrow", "wide"))
    assert narrow == wide != known
    assert checkpoint_digest(str(moved(folder, tmp_path / "moved"))) != known
    assert checkpoint_digest(str(moved(folder, tmp_path / "seen", "visual"))) != known


def test_folders_without_weights_have_no_digest(tmp_path):
    assert checkpoint_digest(str(tmp_path)) == ""


@pytest.fixture
def adapter(family_folder, tmp_path):
    model = load_model(str(family_folder("qwen2-vl")), "float32", quantize="nf4")
    attach(model, Lora(rank=2))
    save_adapter(model, tmp_path / "adapter")
    return tmp_path / "adapter"


def test_another_base_of_the_same_shapes_is_refused(adapter, family_folder, tmp_path):
    other = moved(family_folder("qwen2-vl"), tmp_path / "other")
    with pytest.raises(BadInput, match=r"adapter of other weights than those of .*other: give its"):
        attach(load_model(str(other)), Lora(path=str(adapter)))
    # In 4 bits or not, it is the same base.
    attach(load_model(str(family_folder("qwen2-vl")), "bfloat16"), Lora(path=str(adapter)))


def test_adapters_that_do_not_know_their_base_are_taken(adapter, family_folder, tmp_path):
    weights = load_file(adapter / "adapter_model.safetensors")
    save_file(weights, adapter / "adapter_model.safetensors", {"format": "pt"})
    other = load_model(str(moved(family_folder("qwen2-vl"), tmp_path / "other")))
    attach(other, Lora(path=str(adapter)))
    assert torch.tensor([value.isfinite().all() for value in other.parameters()]).all()
