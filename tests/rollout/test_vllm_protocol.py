import base64
import io

import pytest
import torch
from PIL import Image

from reasonrft.policy import Policy
from reasonrft.problems import Problem
from reasonrft.rollout import Sampling
from reasonrft.rollout.vllm_protocol import (
    WrongReply,
    broken_off,
    check_prompt,
    generate_body,
    prompt_seed,
    read_completions,
    read_prompt_log_probs,
    resized_images,
    sampling_params,
    serve_prompt,
)
from tests.policy.problems import image, problem

URL = "data:image/png;base64,"


@pytest.fixture(scope="module")
def policy(family_folder) -> Policy:
    return Policy(str(family_folder("qwen3-vl")), max_pixels=3136)


def choice(index: int, ids: list[int], reason: str = "length", **changed) -> dict:
    content = [{"token_id": token, "logprob": -float(token)} for token in ids]
    fields = {"index": index, "token_ids": ids, "finish_reason": reason}
    return fields | {"logprobs": {"content": content}} | changed


def test_every_field_of_sampling_is_sent():
    sampling = Sampling(temperature=0.7, top_p=0.9, top_k=5, min_p=0.1, max_tokens=12)
    assert sampling_params(sampling, 4, 99, {8, 3}, [6, 5]) == {
        "n": 4,
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": 5,
        "min_p": 0.1,
        "max_tokens": 12,
        "min_tokens": 0,
        "seed": 99,
        "logprobs": 0,
        "stop_token_ids": [3, 8],
        "ignore_eos": True,
        "logit_bias": {"5": -1e9, "6": -1e9},
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "repetition_penalty": 1.0,
        "detokenize": False,
    }


def test_a_prompt_is_sent_as_ids_with_one_placeholder_for_each_image(policy):
    (prompt,) = policy.encoder.prompts([problem(0, 2, "How <|im_end|> many?")], ["x"]).prompts
    served = serve_prompt(policy.encoder, prompt)
    image_id = policy.processor.image_token_id
    assert served.ids == prompt.ids.tolist()
    assert served.short_ids.count(image_id) == 2 < served.ids.count(image_id)
    assert [token for token in served.short_ids if token != image_id] == [
        token for token in served.ids if token != image_id
    ]
    body = generate_body(served, "adapter", "salt", {"n": 1})
    assert body == {
        "model": "adapter",
        "token_ids": served.short_ids,
        "content_parts": [{"type": "image_url", "url": url} for url in served.images],
        "sampling_params": {"n": 1},
        "return_token_ids": True,
        "cache_salt": "salt",
    }
    assert "content_parts" not in generate_body(
        serve_prompt(policy.encoder, policy.encoder.prompt(problem(1, 0), "?")), "a", "s", {}
    )


@pytest.mark.parametrize("size", [(56, 42), (61, 33), (140, 200), (9, 8)])
def test_images_are_sent_as_the_processor_resizes_them(policy, size):
    shown = image((200, 30, 90), size)
    noise = torch.randint(0, 255, (size[1], size[0], 3), dtype=torch.uint8)
    file = io.BytesIO()
    Image.fromarray(noise.numpy()).save(file, "PNG")
    asked = Problem("noise", "general", (file.getvalue(), shown), "?", "")
    prompt = policy.encoder.prompt(asked, "?")
    resized = resized_images(policy.encoder, prompt)
    pixels = policy.processor.image_processor(resized, return_tensors="pt")["pixel_values"]
    assert torch.equal(pixels, prompt.inputs["pixel_values"])  # resized once, by us
    sent = serve_prompt(policy.encoder, prompt).images[0]
    received = Image.open(io.BytesIO(base64.b64decode(sent.removeprefix(URL))))
    assert received.tobytes() == resized[0].tobytes()


def test_families_without_a_grid_get_images_as_they_are(family_folder):
    encoder = Policy(str(family_folder("internvl"))).encoder
    prompt = encoder.prompt(problem(0, 1), "?")
    assert [one.size for one in resized_images(encoder, prompt)] == [(56, 42)]


def test_seeds_differ_with_each_of_three():
    keys = [(0, 1, "a"), (1, 1, "a"), (0, 2, "a"), (0, 1, "b"), ("0.1", 1, "a")]
    seeds = [prompt_seed(*key) for key in keys]
    assert len(set(seeds)) == 5
    assert all(0 <= seed < 2**62 for seed in seeds)  # completions count on, below 2**63
    assert prompt_seed(0, 1, "a") == seeds[0]


def test_completions_are_read_in_their_order():
    reply = {"choices": [choice(1, [7, 2], "stop"), choice(0, [4, 5, 6])]}
    first, second = read_completions(reply, 2, 8, {2})
    assert first.ids.tolist() == [4, 5, 6] and not first.stopped
    assert second.ids.tolist() == [7, 2] and second.stopped
    assert second.content.tolist() == [7]
    assert first.log_probs.tolist() == [-4.0, -5.0, -6.0]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ([choice(0, [4])], "1 completions instead of 2"),
        ([choice(0, [4]), choice(1, [9])], "token 9, and the policy's vocabulary ends at 8"),
        ([choice(0, [4]), choice(1, [5], "stop")], "does not end in one of the policy's stop"),
        ([choice(0, [4]), choice(1, [5], token_ids=[6])], "are not those of its tokens"),
        ([choice(0, [4]), choice(1, [])], "are not those of its tokens"),
        ([choice(0, [4]), choice(1, [5], logprobs=None)], "no answer of /inference"),
        ([choice(0, [4]), {"text": "chat"}], "no answer of /inference"),
        (None, "no answer of /inference"),
    ],
)
def test_replies_that_cannot_be_used(choices, message):
    with pytest.raises(WrongReply, match=message):
        read_completions({"choices": choices}, 2, 9, {2})


def test_log_probs_must_be_numbers():
    nan = choice(0, [4])
    nan["logprobs"]["content"][0]["logprob"] = -9999.0  # vLLM's way to write it
    with pytest.raises(WrongReply, match="is no number"):
        read_completions({"choices": [nan]}, 1, 9, {2})


def test_completions_that_a_server_broke_off():
    assert broken_off({"choices": [choice(0, [4]), choice(1, [4], "stop")]}) == ""
    assert broken_off({"choices": [choice(0, [4], "abort"), choice(1, [4])]}) == "abort"
    for reply in ("Success", {"choices": None}, {"choices": [{"text": "chat"}]}):
        with pytest.raises(WrongReply, match="no answer of /inference"):
            broken_off(reply)


def test_the_server_must_have_read_the_same_tokens(policy):
    prompt = serve_prompt(policy.encoder, policy.encoder.prompt(problem(0, 1), "?"))
    check_prompt({"prompt_token_ids": prompt.ids}, prompt)
    for ids, message in [
        (None, "does not say which tokens"),
        ([*prompt.ids, 3], f"read {len(prompt.ids) + 1} tokens .* with 1 images"),
        ([prompt.ids[0] + 1, *prompt.ids[1:]], "other tokens"),
    ]:
        with pytest.raises(WrongReply, match=message):
            check_prompt({"prompt_token_ids": ids}, prompt)


def test_log_probs_of_a_request_are_those_of_its_last_tokens():
    places = [None, *({str(token): {"logprob": -token / 2}} for token in (3, 8, 8, 2))]
    assert read_prompt_log_probs({"prompt_logprobs": places}, [8, 2]).tolist() == [-4, -1]


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ({}, "no log-probs of the request's own tokens"),
        ({"prompt_logprobs": None}, "no log-probs of the request's own tokens"),
        ({"prompt_logprobs": [None]}, "no log-probs of the request's own tokens"),
        ({"prompt_logprobs": [{"7": {"logprob": -1.0}}] * 2}, r"no log-probs .*KeyError"),
        ({"prompt_logprobs": [{"8": {"logprob": -9999.0}}] * 2}, "a log-prob in it is no number"),
    ],
)
def test_a_reply_without_log_probs_of_the_request_is_refused(reply, message):
    with pytest.raises(WrongReply, match=message):
        read_prompt_log_probs(reply, [8, 8])
