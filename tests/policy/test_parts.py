import pytest
import torch

from reasonrft.errors import BadInput
from reasonrft.policy.loading import load_model
from reasonrft.policy.parts import PARTS, freeze, linear_layers, parts_of
from reasonrft.policy.policy import Policy
from reasonrft.policy.processors import load_processor
from reasonrft.policy.special_tokens import placeholder_ids, stop_ids
from tests.policy.families import FAMILIES, ask, noise


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request, family_folder):
    return str(family_folder(request.param))


def test_each_part_is_trained_where_it_is_asked_for(folder):
    model, processor = load_model(folder, "float32"), load_processor(folder)
    parts, prompt = parts_of(model), ask(processor, "How many?", noise(0), noise(1))
    for part in PARTS:
        freeze(model, [part])
        model.zero_grad()
        model(**prompt).logits.square().mean().backward()
        moved = {parts.part_of(name) for name, p in model.named_parameters() if p.grad is not None}
        assert moved == {part}
    freeze(model, PARTS)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_parts_are_what_their_names_say(folder):
    model = load_model(folder)
    parts = parts_of(model)
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    for name, module in model.named_modules():
        if module is head or module is embedding:
            assert parts.part_of(name) == "language"
    wide = model.config.get_text_config().hidden_size
    last = list(model.get_submodule(parts.projector[0]).parameters())
    # What projects ends in the language model's width.
    assert any(wide in parameter.shape for parameter in last)
    assert parts.head not in linear_layers(model, PARTS)


def test_placeholders_are_banned_and_words_are_not(folder):
    model, processor = load_model(folder), load_processor(folder)
    banned = set(placeholder_ids(model, processor))
    vocabulary = model.get_output_embeddings().out_features
    assert {model.config.image_token_id} & set(range(vocabulary)) <= banned
    assert all(0 <= token < vocabulary for token in banned)
    written = processor.tokenizer("<|im_start|>A row of images, <image 1>!<|im_end|>")["input_ids"]
    assert not banned & set(written)


def test_answers_end_where_the_checkpoint_or_the_tokenizer_says(folder):
    processor = load_processor(folder)
    assert stop_ids(folder, processor) == (processor.tokenizer.convert_tokens_to_ids("<|im_end|>"),)
    processor.tokenizer.eos_token = "<|endoftext|>"
    assert len(stop_ids(folder, processor)) == 2


def test_a_part_that_does_not_exist(family_folder):
    model = load_model(str(family_folder("qwen3-vl")))
    with pytest.raises(BadInput, match="'ears' is no part of a model: language, projector, tower"):
        freeze(model, ["ears"])


def test_a_model_without_a_tower():
    from transformers import GPT2Config, GPT2LMHeadModel

    with torch.device("meta"):
        blind = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=1, n_embd=8))
    with pytest.raises(BadInput, match="GPT2LMHeadModel does not show its vision tower"):
        parts_of(blind)


@pytest.mark.parametrize("trained", [False, True])
def test_batch_norms_move_only_where_the_tower_is_trained(trained, family_folder):
    policy = Policy(str(family_folder("fast-vlm")), train_parts=PARTS if trained else ["language"])
    policy.load()
    policy.eval()
    policy.train()
    means = {n: b.clone() for n, b in policy.named_buffers() if n.endswith("running_mean")}
    policy(**ask(policy.processor, "What is it?", noise(0)))
    moved = {n for n, b in policy.named_buffers() if n in means and not torch.equal(b, means[n])}
    assert means and moved == (means.keys() if trained else set())
