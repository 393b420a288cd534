import pytest
import torch

from reasonrft.errors import BadInput
from reasonrft.policy.collate import collate, extend
from reasonrft.policy.loading import load_model
from reasonrft.policy.processors import load_processor
from tests.policy.families import FAMILIES, ask, more, noise


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, family_folder):
    folder = str(family_folder(request.param))
    return load_model(folder, "float32"), load_processor(folder)


def ragged(model, processor):
    """One, two and three images of different sizes, and none where the family reads those too."""
    prompts = [
        ask(processor, "How many?", noise(0)),
        ask(processor, "What is in both of them?", noise(1, 60, 30), noise(2, 33, 80)),
        ask(processor, "x", *[noise(3, 90, 44)] * 3),
    ]
    if model.config.model_type == "mllama":
        return prompts
    return [ask(processor, "Without any image"), *prompts]


@pytest.mark.parametrize("side", ["left", "right"])
def test_batch_prompts_are_read_as_each_alone(family, side):
    model, processor = family
    prompts = ragged(model, processor)
    batch = collate(prompts, processor.tokenizer.pad_token_id, side)
    with torch.no_grad():
        together = model(**batch).logits
        for row, prompt in zip(together, prompts, strict=True):
            length = prompt["input_ids"].shape[1]
            mine = row[-length:] if side == "left" else row[:length]
            alone = model(**prompt).logits[0]
            torch.testing.assert_close(mine, alone, atol=1e-5, rtol=0)


def test_images_and_their_order_change_what_follows(family):
    model, processor = family
    one, other = noise(0), noise(1)
    prompts = [ask(processor, "?", one, other), ask(processor, "?", other, one)]
    with torch.no_grad():
        first, second = (model(**prompt).logits[0, -1] for prompt in prompts)
    assert (first - second).abs().max() > 1e-3


def test_extended_prompts_are_what_generate_reads(family):
    model, processor = family
    prompt = ask(processor, "How many?", noise(0), noise(1))
    length = prompt["input_ids"].shape[1]
    banned = [model.config.image_token_id] if model.config.model_type != "mllama" else None
    with torch.no_grad():
        outcome = model.generate(
            **prompt,
            do_sample=False,
            max_new_tokens=8,
            suppress_tokens=banned,
            output_logits=True,
            return_dict_in_generate=True,
        )
        written = outcome.sequences[0, length:]
        logits = model(**extend(prompt, written)).logits[0, length - 1 : -1]
    torch.testing.assert_close(logits, torch.cat(outcome.logits), atol=1e-5, rtol=0)


def test_extended_prompts_of_different_lengths_are_batch_too(family):
    model, processor = family
    rows = [extend(prompt, more(at, 3 * at)) for at, prompt in enumerate(ragged(model, processor))]
    batch = collate(rows, processor.tokenizer.pad_token_id, "right")
    with torch.no_grad():
        together = model(**batch).logits
        for row, prompt in zip(together, rows, strict=True):
            alone = model(**prompt).logits[0]
            torch.testing.assert_close(row[: len(alone)], alone, atol=1e-5, rtol=0)


def test_repeated_prompts_are_read_alike(family):
    model, processor = family
    prompt = ask(processor, "How many?", noise(0), noise(1, 60, 30))
    with torch.no_grad():
        alone = model(**prompt).logits
        torch.testing.assert_close(
            model(**collate([prompt] * 3, 0, "right")).logits,
            alone.expand(3, -1, -1),
            atol=1e-5,
            rtol=0,
        )


def test_one_prompt_is_batch_to_itself(family):
    _, processor = family
    prompt = ask(processor, "How many?", noise(0))
    batch = collate([prompt], 0, "left")
    assert batch.keys() == prompt.keys()
    assert all(torch.equal(batch[name], prompt[name]) for name in prompt)


def test_mllama_says_that_it_cannot_mix_text_alone_with_images(family_folder):
    processor = load_processor(str(family_folder("mllama")))
    prompts = [ask(processor, "How many?", noise(0)), ask(processor, "Hello")]
    with pytest.raises(BadInput, match="prompts without images"):
        collate(prompts, 0, "left")
