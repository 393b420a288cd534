import pytest
import torch

from reasonrft.policy import Policy, PromptBatch, score
from reasonrft.rollout import Rollout, Sampling
from tests.policy.families import FAMILIES
from tests.policy.problems import generate, groups_of, problem, ragged


def load(folder) -> Policy:
    policy = Policy(str(folder))
    policy.load()
    return policy


@pytest.fixture(scope="module")
def policy(family_folder) -> Policy:
    return load(family_folder("qwen3-vl"))


def ids_of(rollout: Rollout) -> list[list[int]]:
    return [one.ids.tolist() for group in rollout.completions for one in group]


@pytest.mark.parametrize("family", FAMILIES)
def test_sampled_log_probabilities_are_those_of_plain_rows(family, family_folder):
    policy = load(family_folder(family))
    batch = ragged(policy, text_only=family != "mllama")
    rollout = generate(policy, batch, 3, Sampling(temperature=0.7, max_tokens=7), seed=1)
    sampled = torch.cat([one.log_probs for group in rollout.completions for one in group])
    policy.eval()
    with torch.no_grad():
        plain = score(policy, groups_of(batch, rollout), temperature=0.7, shared=False)
    torch.testing.assert_close(sampled, plain.log_probs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_answers_are_those_of_generate(family, family_folder):
    policy = load(family_folder(family))
    for prompt in ragged(policy, text_only=family != "mllama").prompts:
        rollout = generate(policy, PromptBatch([prompt]), 1, Sampling(temperature=0, max_tokens=6))
        with torch.no_grad():
            generated = policy.model.generate(
                **prompt.inputs,
                do_sample=False,
                max_new_tokens=6,
                suppress_tokens=policy.placeholder_mask().nonzero().flatten().tolist(),
            )
        expected = generated[0, prompt.length :].tolist()
        assert ids_of(rollout)[0] == expected[: len(ids_of(rollout)[0])]


def test_a_completion_does_not_depend_on_its_company(policy):
    batch, sampling = ragged(policy), Sampling(max_tokens=12)
    together = ids_of(generate(policy, batch, 4, sampling, seed=3, step=5))
    fewer = ids_of(generate(policy, batch.select([2, 1]), 2, sampling, seed=3, step=5))
    assert fewer == together[8:10] + together[4:6]
    assert together != ids_of(generate(policy, batch, 4, sampling, seed=3, step=6))
    assert together != ids_of(generate(policy, batch, 4, sampling, seed=4, step=5))
    assert len({tuple(ids) for ids in together[:4]}) > 1


def test_finished_rows_are_dropped(policy):
    # Every fifth token or so ends a completion, so that rows finish at different times.
    policy.stop_ids = frozenset({*policy.stop_ids, *range(0, 250, 5)})
    try:
        rollout = generate(policy, ragged(policy), 4, Sampling(max_tokens=30))
    finally:
        del policy.stop_ids
    lengths = [len(ids) for ids in ids_of(rollout)]
    assert len(set(lengths)) > 1
    # Rows are dropped when an eighth is finished; the token sampled last in a row is never read.
    rows, saved = lengths, 0
    for turn in range(1, max(lengths)):
        going = [length for length in rows if length > turn]
        rows = going if 8 * len(going) <= 7 * len(rows) else rows
        saved += len(lengths) - len(rows)
    assert rollout.work["row_steps_saved"] == saved
    assert saved > 0.9 * sum(max(lengths) - length for length in lengths)
    assert rollout.work["decoded_tokens"] == sum(lengths)
    for group in rollout.completions:
        for one in group:
            assert one.stopped == (one.ids[-1].item() % 5 == 0 or one.ids[-1].item() >= 250)
            assert len(one.content) == len(one.ids) - one.stopped


@pytest.mark.parametrize("room", [1, 3])
def test_room_for_tokens_changes_nothing(room, policy, monkeypatch):
    policy.stop_ids = frozenset({*policy.stop_ids, *range(0, 250, 5)})
    batch, sampling = ragged(policy), Sampling(max_tokens=30)
    monkeypatch.setattr(Policy, "splits_attention", False)
    try:
        with monkeypatch.context() as patch:
            # The caches that transformers has: every token copies all before it.
            patch.setattr("reasonrft.rollout.eager_decoding.preallocate", lambda cache: None)
            copied = generate(policy, batch, 4, sampling)
        monkeypatch.setattr("reasonrft.rollout.eager_decoding.CACHE_STEP", room)
        written = generate(policy, batch, 4, sampling)
        monkeypatch.setattr("reasonrft.rollout.eager_decoding.KEEP_ROWS_ABOVE", 0.0)
        dragged = generate(policy, batch, 4, sampling)
    finally:
        del policy.stop_ids
    assert dragged.work["row_steps_saved"] == 0 < written.work["row_steps_saved"]
    for other in (written, dragged):
        assert ids_of(other) == ids_of(copied)
        for own, group in zip(copied.completions, other.completions, strict=True):
            for a, b in zip(own, group, strict=True):
                torch.testing.assert_close(a.log_probs, b.log_probs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("parts", [("language",), ("language", "projector", "tower")])
def test_every_image_and_prompt_is_read_once(parts, family_folder):
    policy = Policy(str(family_folder("qwen3-vl")), train_parts=parts)
    policy.load()
    images, positions = [], []
    policy.model.model.visual.register_forward_pre_hook(
        lambda module, args, kwargs: images.append(len(kwargs["grid_thw"])), with_kwargs=True
    )
    policy.model.get_decoder().register_forward_pre_hook(
        lambda module, args, kwargs: positions.append(kwargs["inputs_embeds"].shape[:2]),
        with_kwargs=True,
    )
    batch = ragged(policy)
    rollout = generate(policy, batch, 4, Sampling(max_tokens=5))
    assert sum(images) == 6 == rollout.work["images_encoded"]
    assert positions[0] == (4, max(prompt.length for prompt in batch.prompts))
    assert set(positions[1:]) <= {(rows, 1) for rows in range(1, 17)}
    # Where tower and projector are frozen, once in a run is enough.
    again = generate(policy, batch, 4, Sampling(max_tokens=5), step=1)
    assert again.work["images_encoded"] == (6 if "tower" in parts else 0)
    assert sum(images) == 6 + again.work["images_encoded"]


def test_placeholders_are_never_sampled(policy):
    head = policy.head
    before = head.weight.data.clone()
    token = policy.model.config.image_token_id
    rollout = generate(policy, ragged(policy), 1, Sampling(temperature=0, max_tokens=3))
    try:
        head.weight.data[token] = 100 * head.weight.data[ids_of(rollout)[0][0]]
        again = generate(policy, ragged(policy), 8, Sampling(max_tokens=8))
    finally:
        head.weight.data = before
    assert not any(token in ids for ids in ids_of(again))
    assert bool(policy.placeholder_mask()[token])


def test_training_mode_comes_back(policy):
    policy.train()
    generate(policy, policy.encoder.prompts([problem(0, 1)], ["?"]), 1, Sampling(max_tokens=1))
    assert policy.training and policy.model.training
