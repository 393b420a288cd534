"""A policy that is spread over two ranks computes what a whole one does."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh

from reasonrft.errors import BadInput
from reasonrft.evaluation.weights import weights_digest
from reasonrft.policy import Group, Policy, score
from reasonrft.policy.reference_policy import ReferencePolicy
from reasonrft.policy.sharding import data_mesh, full_state_dict, gather, local, shard
from reasonrft.rollout import Sampling
from tests.distributed.processes import fork_ranks
from tests.policy.problems import generate, groups_of, ragged
from tests.starting import Forked


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


def run_on_two(home: Path, folder: str) -> None:
    fork_ranks(run, 2, home, folder)


def run(ranks: int, home: Path, folder: str) -> None:
    policy = load(folder)
    batch = ragged(policy)
    groups = groups_of(batch, generate(policy, batch, 3, Sampling(max_tokens=7)))
    policy = load(folder)
    shard(policy, init_device_mesh("cpu", (2,)))
    outcome = measure(policy, groups)
    outcome["state"] = full_state_dict(policy.model)
    names = ("data_parallel", "tensor_parallel")
    assert data_mesh(init_device_mesh("cpu", (2, 1), mesh_dim_names=names)).size() == 2
    with pytest.raises(BadInput, match="tensor_parallel_size is 2"):
        data_mesh(init_device_mesh("cpu", (1, 2), mesh_dim_names=names))
    torch.save(outcome, home / f"{distributed.get_rank()}.pt")


def test_two_shards_compute_what_a_whole_policy_does(family_folder, tmp_path):
    folder = str(family_folder("qwen3-vl"))
    Forked(tmp_path, run_on_two, tmp_path, folder).result()
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
