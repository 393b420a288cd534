"""A policy that is spread over two ranks computes what a whole one does.

As a program it is one of the ranks: `python -m tests.policy.test_sharding POLICY HOME RANK`.
"""

import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
import torch
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh

from reasonrft.evaluation.weights import weights_digest
from reasonrft.policy import Group, Policy, score
from reasonrft.policy.reference_policy import ReferencePolicy
from reasonrft.policy.sharding import full_state_dict, gather, local, shard
from reasonrft.rollout import Sampling
from tests.policy.problems import generate, groups_of, ragged


def load(folder: str) -> Policy:
    policy = Policy(folder)
    policy.load()
    return policy


def measure(policy: Policy, groups: list[Group]) -> dict[str, Any]:
    """All that needs weights, before and after they move."""
    outcome: dict[str, Any] = {"start": score(policy, groups).log_probs.detach()}
    reference = ReferencePolicy(policy)
    (-score(policy, groups).log_probs.sum()).backward()
    trained = [value for value in policy.parameters() if value.grad is not None]
    outcome["norm"] = gather(torch.nn.utils.clip_grad_norm_(trained, 1.0)).item()
    for value in trained:
        local(value).add_(0.05)
    with torch.no_grad():
        outcome["moved"] = score(policy, groups).log_probs
        with reference.swapped_in():
            outcome["reference"] = score(policy, groups).log_probs
        outcome["moved again"] = score(policy, groups).log_probs
    outcome["digest"] = weights_digest(policy)
    outcome["texts"] = generate(policy, ragged(policy), 2, Sampling(max_tokens=5)).texts
    return outcome


def run(rank: int, folder: str, home: str) -> None:
    meeting = f"file://{home}/meeting"
    distributed.init_process_group("gloo", meeting, timedelta(seconds=60), world_size=2, rank=rank)
    policy = load(folder)
    batch = ragged(policy)
    groups = groups_of(batch, generate(policy, batch, 3, Sampling(max_tokens=7)))
    policy = load(folder)
    shard(policy, init_device_mesh("cpu", (2,)))
    outcome = measure(policy, groups)
    outcome["state"] = full_state_dict(policy.model)
    torch.save(outcome, f"{home}/{rank}.pt")
    distributed.destroy_process_group()


def test_two_shards_compute_what_a_whole_policy_does(family_folder, tmp_path):
    folder = str(family_folder("qwen3-vl"))
    command = [sys.executable, "-m", "tests.policy.test_sharding", folder, str(tmp_path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    ranks = [subprocess.Popen([*command, str(rank)], env=environment) for rank in (0, 1)]
    try:
        assert [process.wait(timeout=240) for process in ranks] == [0, 0]
    finally:
        for process in ranks:
            process.kill()
    policy = load(folder)
    batch = ragged(policy)
    groups = groups_of(batch, generate(policy, batch, 3, Sampling(max_tokens=7)))
    whole = measure(policy, groups)
    for rank in (0, 1):
        sharded = torch.load(tmp_path / f"{rank}.pt")
        for name in ("start", "moved", "reference", "moved again"):
            torch.testing.assert_close(sharded[name], whole[name], atol=1e-6, rtol=0)
        assert sharded["norm"] == pytest.approx(whole["norm"], rel=1e-5)
        assert sharded["texts"] == whole["texts"]
        assert sharded["digest"] == whole["digest"]
        assert sharded["state"].keys() == (policy.model.state_dict().keys() if rank == 0 else set())
        for name, value in sharded["state"].items():
            assert torch.equal(policy.model.state_dict()[name], value)
    # The reference is the start, and not the current policy: FSDP2 ignores new `.data`.
    torch.testing.assert_close(whole["reference"], whole["start"], atol=0, rtol=0)
    assert (whole["moved"] - whole["reference"]).abs().max() > 0.1
    assert torch.equal(whole["moved"], whole["moved again"])


if __name__ == "__main__":
    run(int(sys.argv[3]), *sys.argv[1:3])
