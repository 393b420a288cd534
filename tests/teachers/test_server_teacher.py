"""A teacher on servers, asked over HTTP: one that is there, busy, slow, rude or another one."""

from pathlib import Path

import pytest
import torch

from reasonrft.errors import BadInput, Stopped
from reasonrft.policy import Group, Policy
from reasonrft.policy.hub_paths import ASSETS
from reasonrft.rollout import Sampling
from reasonrft.teachers import ServerTeacher
from tests.modules.test_grpo import fit, module
from tests.policy.plain_scoring import plain_log_probs
from tests.policy.problems import generate, groups_of, ragged
from tests.rollout.vllm_serving import vllm_server
from tests.teachers.test_policy_teacher import UNPAID

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def folder(family_folder) -> Path:
    return family_folder("qwen3-vl")


@pytest.fixture(scope="module")
def policy(folder) -> Policy:
    policy = Policy(str(folder))
    policy.load()
    return policy


@pytest.fixture(scope="module")
def groups(policy) -> list[Group]:
    """Of prompts with 1, 2, 3 and no images."""
    batch = ragged(policy)
    return groups_of(batch, generate(policy, batch, 2, Sampling(max_tokens=4)))


def test_log_probs_are_those_of_the_served_model(folder, policy, groups):
    with vllm_server(folder) as server:
        teacher = ServerTeacher([server.url])
        teacher.prepare(policy, 1.0)
        server.manner.broken = 2  # requests that another try may answer
        first, *others = teacher.log_probs([groups[:1], groups[1:]])
    (others,) = others
    with torch.no_grad():
        expected = [
            plain_log_probs(policy, group.prompt, ids, bans=False)
            for group in groups
            for ids in group.completions
        ]
    assert len(first) == sum(len(ids) for ids in groups[0].completions)
    assert torch.allclose(torch.cat([first, others]), torch.cat(expected), atol=1e-4)
    assert not teacher.computes_here
    # Each completion is a request, and servers are asked for nothing but its log-probs.
    assert len(server.bodies) == 8
    for body in server.bodies:
        assert body["model"] == "base" and body["sampling_params"]["prompt_logprobs"] == 0
        assert body["sampling_params"]["max_tokens"] == 1


def test_a_step_learns_from_a_server(folder):
    with vllm_server(folder) as server:
        one = module(folder, UNPAID, teacher=ServerTeacher([server.url]), group_size=2)
        metrics = fit(one, steps=1).step_record.metrics
    # The teacher is the policy itself, but for the tokens that sampling bans.
    assert 0 < abs(metrics["train/teacher_kl"]) < 0.1
    plain = fit(module(folder, UNPAID, group_size=2), steps=1).step_record
    assert plain.metrics["perf/tokens_scored"] == 0 < metrics["perf/tokens_scored"]


def test_servers_that_cannot_teach_are_refused(folder, policy, groups):
    message = r"tiny-counting, which has other tokens than the"
    with vllm_server(ASSETS / "tiny-counting") as server, pytest.raises(BadInput, match=message):
        ServerTeacher([server.url]).prepare(policy, 1.0)
    with vllm_server(folder, scale_out=False, longest=55) as server:
        teacher = ServerTeacher([server.url])
        teacher.prepare(policy, 1.0)
        with pytest.raises(BadInput, match=r"403: .*started with --enable-scale-out"):
            teacher.log_probs([groups[3:]])
        with pytest.raises(BadInput, match=r"'p2': its prompt of \d+ tokens and 1 more are too"):
            teacher.log_probs([groups[2:3]])
        with pytest.raises(BadInput, match=r"at temperature 1, and sampling.temperature is 0\.5"):
            ServerTeacher([server.url]).prepare(policy, 0.5)


def test_nobody_is_waited_for_in_vain(policy):
    gone = "http://127.0.0.1:9"
    with pytest.raises(BadInput, match=r"no vLLM server has answered for 0\.1 s: .*127"):
        ServerTeacher([gone], patience=0.1).prepare(policy, 1.0)
    teacher = ServerTeacher([gone])
    teacher.should_stop = lambda: True  # type: ignore[method-assign]
    with pytest.raises(Stopped):
        teacher.prepare(policy, 1.0)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"urls": []}, "has no server: give its urls"),
        ({"patience": 0.0}, "the teacher's patience must be positive"),
        ({"weight": -1.0}, "the teacher's weight must be a positive number"),
    ],
)
def test_what_makes_no_sense_is_refused(options, sentence):
    with pytest.raises(BadInput, match=sentence):
        ServerTeacher(**{"urls": ["http://localhost:8000"], **options})
