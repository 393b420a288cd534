import pytest
import torch
from safetensors.torch import load_file, save_file

from reasonrft.policy import Lora, Policy
from reasonrft.rollout.served_weights import (
    AdapterWeights,
    WholeWeights,
    fingerprint,
    make_weights,
)
from reasonrft.rollout.served_weights import _add_tied_head as add_tied_head

EMBEDDINGS = "model.language_model.embed_tokens.weight"


@pytest.fixture(scope="module")
def folder(family_folder):
    return family_folder("qwen3-vl")


def test_an_adapter_is_served_by_itself(folder, tmp_path):
    policy = Policy(str(folder), Lora(rank=2))
    policy.load()
    weights = make_weights(policy, "name", tmp_path)
    assert type(weights) is AdapterWeights
    weights.write(policy)
    files = {path.name for path in (tmp_path / "name").iterdir()}
    assert files == {"adapter_config.json", "adapter_model.safetensors"}
    weights.delete()
    assert not (tmp_path / "name").exists()


def test_other_policies_are_served_whole(folder, tmp_path):
    policy = Policy(str(folder))
    policy.load()
    assert type(make_weights(policy, "name", tmp_path)) is WholeWeights


def test_a_tied_head_is_written_too(tmp_path):
    file, embeddings = tmp_path / "model.safetensors", torch.rand(4, 3)
    save_file({EMBEDDINGS: embeddings, "lm_head.weight": embeddings + 1}, file)
    add_tied_head(tmp_path)
    assert not (tmp_path / "tied_head.safetensors").exists()
    save_file({EMBEDDINGS: embeddings}, file)
    add_tied_head(tmp_path)
    head = load_file(tmp_path / "tied_head.safetensors")
    assert torch.equal(head["lm_head.weight"], embeddings)


def test_completions_of_other_weights_are_told_apart(tmp_path):
    weights = WholeWeights("name", tmp_path)
    spans = [{"version": "name", "start": 0, "end": 3}]
    assert weights.are_of({"choices": [{"weight_versions": spans}] * 2})
    assert not weights.are_of({"choices": [{"weight_versions": None}]})
    other = {"weight_versions": [*spans, {"version": "default", "start": 3, "end": 4}]}
    assert not weights.are_of({"choices": [{"weight_versions": spans}, other]})


def test_a_change_of_weights_shows_without_a_number(folder):
    policy = Policy(str(folder), Lora(rank=2))
    policy.load()
    before = fingerprint(policy)
    assert fingerprint(policy) == before
    trained = [value for value in policy.parameters() if value.requires_grad]
    with torch.no_grad():
        trained[-1].view(-1)[0] += 1e-3
    assert fingerprint(policy) != before
    for value in trained:
        value.requires_grad_(False)
    assert fingerprint(policy) == []
