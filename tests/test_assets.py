"""The tiny model that ships: it loads, it speaks the format, and it sees."""

import pytest
import torch

from benchmarks.perception import answers, attributes
from reasonrft.policy.encoder import Encoder
from reasonrft.policy.policy import Policy
from reasonrft.problems import Problem
from reasonrft.tasks.tags import write_response
from reasonrft.worlds import make_world

SCENES = 24


@pytest.fixture(scope="module")
def tiny() -> Policy:
    policy = Policy("tiny")
    policy.load()
    policy.eval()
    return policy


@pytest.fixture(scope="module")
def encoder(tiny) -> Encoder:
    return tiny.encoder


def test_it_is_small(tiny):
    assert 2e6 < sum(value.numel() for value in tiny.parameters()) < 10e6


def test_text_comes_back_as_it_was_and_words_are_one_token_each(encoder):
    def tokens(text: str) -> list[str]:
        ids = encoder.tokenizer(text, add_special_tokens=False)["input_ids"]
        assert encoder.tokenizer.decode(ids) == text
        return [encoder.tokenizer.decode([one]) for one in ids]

    assert tokens(" x3 y2 large metallic cubes") == [" x", "3", " y", "2"] + [
        " large",
        " metallic",
        " cubes",
    ]
    assert tokens("145 AB°") == ["1", "4", "5", " A", "B", "°"]
    tagged = tokens(write_response("so", "3"))
    assert [one for one in tagged if one.startswith("<")] == [
        "<think>",
        "</think>",
        "<answer>",
        "</answer>",
    ]
    tokens("Ω, 中 and <b>\n\n")  # of bytes, where it knows no words


def test_fine_tuning_and_generation_read_the_same_turns(encoder):
    turns = [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": "3"}]
    whole = encoder.processor.apply_chat_template(turns, tokenize=False)
    begun = encoder.processor.apply_chat_template(
        turns[:1], tokenize=False, add_generation_prompt=True
    )
    assert begun == "<|im_start|>user\nHow many?<|im_end|>\n<|im_start|>assistant\n"
    assert whole == f"{begun}3<|im_end|>\n"


@pytest.mark.parametrize(
    ("task", "tokens"), [("counting", 54), ("structure", 54), ("transformation", 2 * 54)]
)
def test_images_of_the_tiny_presets_are_read_as_they_are(task, tokens, encoder):
    prompt = encoder.prompt(make_world(task, "tiny").problem("id", 0), "?")
    image = encoder.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    assert int((prompt.ids == image).sum()) == tokens


@pytest.mark.parametrize(
    ("task", "look"),
    [
        ("counting", "blocks"),
        ("counting", "vehicles"),
        ("structure", "coloured"),
        ("structure", "drawn"),
        ("transformation", "center"),
        ("transformation", "left"),
    ],
)
def test_it_sees_what_each_look_shows(task, look, tiny):
    world = make_world(f"perception-{task}", "tiny", whole=1.0)
    problems: list[Problem] = [world.problem(look, index) for index in range(SCENES)]
    shares = [share for share, _ in attributes(tiny, iter(problems), task, SCENES).values()]
    # docs/tiny.md has figures of more scenes; guesses come to about a third.
    assert sum(shares) / len(shares) > 0.75


@torch.no_grad()
@pytest.mark.parametrize(("policy", "least"), [("tiny", 0.0), ("tiny-counting", 0.1)])
def test_it_answers_in_the_tasks_format_and_leaves_room(policy, least):
    model = Policy(policy)
    model.load()
    model.eval()
    world = make_world("counting", "tiny")
    problems = [world.problem("id", index) for index in range(48)]
    found = answers(model, problems, 48, 256)
    assert found["clean"] > 0.9
    assert least <= found["accuracy"] < 0.6
