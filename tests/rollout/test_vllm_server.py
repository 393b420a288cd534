"""The engine of vLLM servers, against servers that speak their protocol."""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from reasonrft.errors import BadInput, Stopped
from reasonrft.policy import Lora, Policy, PromptBatch
from reasonrft.policy.scoring import score
from reasonrft.rollout import Rollout, Sampling, VLLMServerEngine
from reasonrft.rollout.vllm_client import Limits
from tests.policy.families import save_family
from tests.policy.problems import generate, groups_of, problem, ragged
from tests.rollout.vllm_serving import Manner, VLLMServer, vllm_server

pytestmark = pytest.mark.filterwarnings("ignore")
SAMPLING = Sampling(temperature=0.9, max_tokens=4)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def folder(family_folder) -> Path:
    return family_folder("qwen3-vl")


@pytest.fixture(scope="module")
def running(folder) -> Iterator[VLLMServer]:
    with vllm_server(folder) as server:
        yield server


@pytest.fixture
def server(running) -> VLLMServer:
    """A server that has just been started."""
    running.manner = Manner()
    running.restart()
    running.bodies.clear()
    running.calls.clear()
    return running


@pytest.fixture
def engine(server, tmp_path) -> VLLMServerEngine:
    return make_engine(tmp_path, server)


def make_engine(tmp_path: Path, *servers: VLLMServer, **options) -> VLLMServerEngine:
    options = {"patience": 20.0, "request_seconds": 20.0, **options}
    return VLLMServerEngine([one.url for one in servers], str(tmp_path / "served"), **options)


def adapted(folder: Path, **options) -> Policy:
    policy = Policy(str(folder), Lora(rank=2), **options)
    policy.load()
    return policy


def few(policy: Policy) -> PromptBatch:
    """A prompt with two images, and one without any."""
    return ragged(policy).select([1, 3])


@torch.no_grad()
def change(policy: Policy, seed: int = 0) -> None:
    """As an update would, and visibly."""
    torch.manual_seed(seed)
    for value in policy.parameters():
        if value.requires_grad:
            value.add_(torch.randn_like(value), alpha=0.05)


def difference(policy: Policy, batch: PromptBatch, rollout: Rollout) -> float:
    """The greatest, between a rollout's log-probs and the scorer's."""
    with torch.no_grad():
        ours = score(policy, groups_of(batch, rollout), SAMPLING.temperature).log_probs
    served = [one.log_probs for group in rollout.completions for one in group]
    return float((ours - torch.cat(served)).abs().max())


@pytest.mark.parametrize("adapter", [Lora(rank=2), None], ids=["adapter", "whole"])
def test_weights_and_log_probs_follow_the_policy(engine, server, folder, tmp_path, adapter):
    policy = Policy(str(folder), adapter)
    policy.load()
    batch, texts = few(policy), []
    for version in range(3):  # as many as are checked, and one that is not
        engine.sync(policy, version)
        rollout = engine.generate(batch, 3, SAMPLING, seed=1, step=2)
        assert difference(policy, batch, rollout) < 1e-4
        assert rollout.policy_version == version
        assert [len(group) for group in rollout.completions] == [3] * 2
        texts.append(rollout.texts)
        change(policy, version)
    assert texts[0] != texts[1] != texts[2]
    # One version is kept, for servers that are started again.
    assert len(list((tmp_path / "served").glob("*/reasonrft-*"))) == 1
    assert len(server.adapters) == (adapter is not None)
    asked = len(server.calls)
    engine.sync(policy, 2)  # changed since, under the same number
    assert len(server.calls) > asked
    asked = len(server.calls)
    engine.sync(policy, 2)
    assert len(server.calls) == asked


def test_what_it_did_is_counted(engine, folder):
    policy = adapted(folder)
    batch = few(policy)
    engine.sync(policy, 0)
    work = dict(engine.generate(batch, 2, SAMPLING).work)
    assert work.pop("sync_seconds") > 0
    assert work.pop("decoded_tokens") > 2
    tokens = sum(prompt.length for prompt in batch.prompts)
    assert work == {"requests_0": 2, "prompt_tokens": tokens}
    assert engine.generate(batch.select([]), 2, SAMPLING).completions == []
    assert "sync_seconds" not in engine.generate(batch, 2, SAMPLING).work


def test_completions_are_told_of_as_they_come(engine, folder):
    policy = adapted(folder)
    engine.sync(policy, 0)
    told = []
    with engine.telling(lambda problem, text, tokens: told.append((problem.id, text, tokens))):
        rollout = engine.generate(few(policy), 2, SAMPLING)
    expected = [
        (problem.id, text, len(completion.ids))
        for problem, texts, group in zip(
            rollout.problems, rollout.texts, rollout.completions, strict=True
        )
        for text, completion in zip(texts, group, strict=True)
    ]
    assert sorted(told) == sorted(expected)


def test_greedy_answers_are_the_local_engine_s(engine, server, folder):
    policy = adapted(folder)
    change(policy)
    batch, greedy = few(policy), Sampling(temperature=0, max_tokens=4)
    engine.sync(policy, 0)
    rollout = engine.generate(batch, 2, greedy)
    assert rollout.texts == generate(policy, batch, 2, greedy).texts
    assert {body["sampling_params"]["n"] for body in server.bodies[2:]} == {1}


def test_prompts_and_completions_have_seeds_of_their_own(engine, server, folder):
    policy = adapted(folder)
    engine.sync(policy, 0)
    checked = len(server.bodies)
    batch = few(policy)
    for step in (0, 1):
        engine.generate(batch, 2, SAMPLING, seed=5, step=step)
    seeds = {body["sampling_params"]["seed"] for body in server.bodies[checked:]}
    assert len(seeds) == 4
    again = [engine.generate(batch, 2, SAMPLING, seed=5, step=1).texts for _ in range(2)]
    assert again[0] == again[1]


def test_replicas_share_the_work_and_the_weights(server, folder, tmp_path):
    policy = adapted(folder)
    change(policy)
    with vllm_server(folder, delay=0.1) as second:
        server.manner.delay = 0.1
        engine = make_engine(tmp_path, server, second)
        engine.sync(policy, 0)
        batch = policy.encoder.prompts([problem(at, 1) for at in range(4)], ["?"] * 4)
        rollout = engine.generate(batch, 2, SAMPLING)
        assert difference(policy, batch, rollout) < 1e-4
        assert (rollout.work["requests_0"], rollout.work["requests_1"]) == (2, 2)
        second.stop()
        rollout = engine.generate(batch, 2, SAMPLING)
        assert rollout.work["requests_0"] == 4 and rollout.work["retries"] >= 1
        change(policy)
        engine.sync(policy, 1)
        second.start()
        for replica in engine.replicas:
            replica.answered()  # as when its rest is over
        rollout = engine.generate(batch, 2, SAMPLING)
        assert difference(policy, batch, rollout) < 1e-4
        assert (rollout.work["requests_0"], rollout.work["requests_1"]) == (2, 2)


@pytest.mark.parametrize("adapter", [Lora(rank=2), None], ids=["adapter", "whole"])
def test_a_server_that_was_restarted_gets_its_weights_again(engine, server, folder, adapter):
    policy = Policy(str(folder), adapter)
    policy.load()
    change(policy)
    batch = few(policy)
    engine.sync(policy, 0)
    server.restart()  # unnoticed: no request was on its way
    rollout = engine.generate(batch, 2, SAMPLING)
    assert difference(policy, batch, rollout) < 1e-4
    assert rollout.work["retries"] >= 1
    checked = len(server.bodies)
    engine.sync(policy, 0)
    assert len(server.bodies) == checked + 2  # the check is made again


def test_a_server_that_is_down_for_a_while_is_waited_for(engine, server, folder):
    policy = adapted(folder)
    change(policy)
    engine.sync(policy, 0)
    server.stop()
    starting = threading.Timer(0.7, server.start)
    starting.start()
    batch = few(policy)
    rollout = engine.generate(batch, 2, SAMPLING)
    starting.join()
    assert difference(policy, batch, rollout) < 1e-4
    server.manner.broken = 2
    assert engine.generate(batch, 2, SAMPLING).work["retries"] == 2


def test_a_server_that_stays_away_ends_the_run(server, folder, tmp_path):
    policy = adapted(folder)
    engine = make_engine(tmp_path, server)
    engine.sync(policy, 0)
    server.manner.delay = 1
    engine.pool.limits = Limits(connect=1, request=0.3, patience=0.8)
    with pytest.raises(BadInput, match=rf"0.8 s: {server.url} \(no answer in time\); start one"):
        engine.generate(few(policy), 2, SAMPLING)
    server.stop()
    try:
        with pytest.raises(BadInput, match=rf"no vLLM server .* {server.url} \(.*connection"):
            make_engine(tmp_path, server, patience=0.3).sync(policy, 0)
    finally:
        server.start()


def test_a_server_that_hangs_is_left_for_another(server, folder, tmp_path, monkeypatch):
    monkeypatch.setattr("reasonrft.rollout.vllm_client._BETWEEN", 0.1)
    policy = adapted(folder)
    with vllm_server(folder, delay=0.3) as second:
        engine = make_engine(tmp_path, server, second, request_seconds=60.0)
        engine.sync(policy, 0)
        monkeypatch.setattr("reasonrft.rollout.vllm_client._GLANCE", 0.2)
        server.manner = Manner(delay=30, silence=30)
        rollout = engine.generate(few(policy), 2, SAMPLING)
        assert rollout.work["requests_1"] == 2 and "requests_0" not in rollout.work
        assert "not even /health" in engine.replicas[0].fault


def test_a_run_that_is_asked_to_end_does_not_wait(engine, server, folder):
    policy = adapted(folder)
    engine.sync(policy, 0)
    server.manner.delay = 5
    began = time.monotonic()
    engine.should_stop = lambda: time.monotonic() > began + 0.2
    with pytest.raises(Stopped):
        engine.generate(few(policy), 2, SAMPLING)
    assert time.monotonic() < began + 4


def test_without_weights_nothing_is_sampled(engine, folder):
    with pytest.raises(BadInput, match="call sync first"):
        engine.generate(few(Policy(str(folder))), 2, SAMPLING)


# Servers that are refused.


@pytest.mark.parametrize(
    ("manner", "message"),
    [
        ({"lora": False}, "does not load the policy's adapter .*VLLM_ALLOW_RUNTIME_LORA_UPDATING"),
        ({"scale_out": False}, "answers 403: .*started with --enable-scale-out"),
        ({"key": "sk-other"}, "answers 401: Unauthorized: put its --api-key"),
        ({"longest": 20}, "too long for .*start it with --max-model-len"),
    ],
    ids=["no adapters", "no tokens in", "key", "short"],
)
def test_a_server_that_was_started_otherwise(server, engine, folder, manner, message):
    server.manner = Manner(**manner)
    with pytest.raises(BadInput, match=message):
        engine.sync(adapted(folder), 0)


def test_a_server_that_takes_no_weights(server, engine, folder):
    server.manner.dev_mode = False
    policy = Policy(str(folder))
    policy.load()
    with pytest.raises(BadInput, match=r"does not take the policy's weights .*DEV_MODE"):
        engine.sync(policy, 0)


def test_a_server_without_scaled_log_probs(server, engine, folder):
    server.manner.scaled = False
    policy = adapted(folder)
    engine.sync(policy, 0)
    batch = few(policy)
    with pytest.raises(BadInput, match="--logprobs-mode processed_logprobs"):
        engine.generate(batch, 2, SAMPLING)
    plain = Sampling(max_tokens=4)
    rollout = engine.generate(batch, 2, plain)  # at 1 the two are the same, but for placeholders
    assert len(rollout.texts) == 2
    with pytest.raises(BadInput, match=r"takes temperature 0.005 as 0.01"):
        engine.generate(batch, 2, Sampling(temperature=0.005))


def test_a_server_of_other_weights(folder, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    policy = Policy(str(folder))
    policy.load()
    change(policy)
    policy.model.save_pretrained(other)
    with (
        vllm_server(other) as server,
        pytest.raises(BadInput, match=r"differ by .* without any image: it serves other weights"),
    ):
        make_engine(tmp_path, server).sync(adapted(folder), 0)


def test_a_server_that_sees_other_pixels(folder, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    settings = json.loads((other / "preprocessor_config.json").read_text())
    settings |= {"image_mean": [0.2] * 3}
    (other / "preprocessor_config.json").write_text(json.dumps(settings))
    with vllm_server(other) as server:
        with pytest.raises(BadInput, match=r"agree to .* and differ by .* sees other pixels"):
            make_engine(tmp_path, server).sync(adapted(folder), 0)
        server.manner.pixels = {"max_pixels": 28 * 28}
        server.restart()
        with pytest.raises(BadInput, match=r"with 1 images: .* pixel limits"):
            make_engine(tmp_path, server).sync(adapted(folder), 0)


def test_a_server_that_leaves_out_adapters_of_the_tower(server, engine, folder, tmp_path):
    policy = adapted(folder, train_parts=("language", "tower"))
    engine.sync(policy, 0)
    change(policy)
    engine.sync(policy, 1)
    batch = few(policy)
    assert difference(policy, batch, engine.generate(batch, 2, SAMPLING)) < 1e-4
    server.manner.tower_adapters = False
    server.restart()
    with pytest.raises(BadInput, match="--enable-tower-connector-lora"):
        make_engine(tmp_path, server).sync(adapted(folder, train_parts=("tower",)), 0)


def test_a_server_that_was_restarted_with_another_model(server, engine, folder, tmp_path):
    policy = adapted(folder)
    engine.sync(policy, 0)
    server.folder = str(save_family("qwen3-vl", tmp_path / "other"))
    try:
        server.restart()
        with pytest.raises(BadInput, match=r"was restarted with .*other instead of"):
            engine.generate(few(policy), 2, SAMPLING)
    finally:
        server.folder = str(folder)


@pytest.mark.parametrize(
    "options", [{"tolerance": -1}, {"connect_seconds": 0}, {"request_seconds": 0}, {"patience": 0}]
)
def test_knobs_out_of_range(options):
    with pytest.raises(BadInput, match=next(iter(options))):
        VLLMServerEngine(["http://localhost:8000"], **options)
