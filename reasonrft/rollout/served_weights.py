"""Keeping a server's weights in step with the policy's.

Each version has a name of its own, so that no request can be answered by other weights unnoticed:

    adapter    a folder with the adapter alone, loaded under the version's name, which is then the
               model that requests ask for; a server that was restarted does not know it (404)
    whole      a folder with the model, loaded in place; the name is the version of weights that
               every completion comes back with, and a server that was restarted says another

A server that lost its weights is given them again by whoever notices.
"""

import asyncio
import hashlib
import shutil
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from safetensors import safe_open
from safetensors.torch import save_file

from reasonrft.distributed.ranks import is_first_rank
from reasonrft.errors import BadInput
from reasonrft.policy.export_model import has_adapter, save_adapter, save_merged
from reasonrft.policy.policy import Policy
from reasonrft.policy.sharding import local
from reasonrft.rollout.replicas import Replica
from reasonrft.rollout.vllm_client import Client, Refused


class ServedWeights(ABC):
    """One version of the weights, in a folder that trainer and servers see."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder

    @abstractmethod
    def write(self, policy: Policy) -> None:
        """All ranks call this; the first writes."""

    @abstractmethod
    def model(self, replica: Replica) -> str:
        """The model that requests ask for."""

    @abstractmethod
    async def is_there(self, client: Client, replica: Replica, models: list[Any]) -> bool:
        """Whether a replica holds them already."""

    @abstractmethod
    async def load(self, client: Client, replica: Replica) -> None:
        """Let a replica take them."""

    async def forget(self, client: Client, replica: Replica) -> None:  # noqa: B027
        """Let a replica drop them, once it holds others: whole weights are gone by then."""

    def are_of(self, reply: Any) -> bool:
        """Whether a reply was sampled by them alone."""
        return True

    def delete(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class AdapterWeights(ServedWeights):
    """An adapter on a base that stays as it is, in whatever precision the server holds it."""

    def write(self, policy: Policy) -> None:
        save_adapter(policy.model, self.folder)

    def model(self, replica: Replica) -> str:
        return self.name

    async def is_there(self, client: Client, replica: Replica, models: list[Any]) -> bool:
        return any(model.get("id") == self.name for model in models)

    async def load(self, client: Client, replica: Replica) -> None:
        """Under a name of its own, not in place of the last one.

        vLLM reads an adapter that was loaded in place again from its folder in every decode step.
        """
        body = {"lora_name": self.name, "lora_path": str(self.folder)}
        try:
            await client.load(replica, "/v1/load_lora_adapter", body)
        except Refused as fault:
            if "already been loaded" in fault.reason:
                return
            raise BadInput(
                f"{replica.url} does not load the policy's adapter ({fault}): start it with "
                "--enable-lora, --max-lora-rank of at least the adapter's rank and "
                "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True, and let it see the folder "
                f"{self.folder.parent}"
            ) from None

    async def forget(self, client: Client, replica: Replica) -> None:
        await client.post(replica, "/v1/unload_lora_adapter", {"lora_name": self.name})


class WholeWeights(ServedWeights):
    """All weights of a policy without adapter."""

    def write(self, policy: Policy) -> None:
        save_merged(policy.model, policy.processor, self.folder)
        if is_first_rank():
            _add_tied_head(self.folder)

    def model(self, replica: Replica) -> str:
        return replica.base

    async def is_there(self, client: Client, replica: Replica, models: list[Any]) -> bool:
        try:
            held = await client.get(replica, "/weight_info")
        except Refused as fault:
            raise BadInput(_no_reload(replica, fault)) from None
        return held.get("weight_version") == self.name

    async def load(self, client: Client, replica: Replica) -> None:
        """In place, by one process of a run: others may have noticed a restart at the same time."""
        name = hashlib.sha256(replica.url.encode()).hexdigest()[:16]
        async with _locked(self.folder.parent / f"{name}.lock"):
            if not await self.is_there(client, replica, []):
                await self._reload(client, replica)

    async def _reload(self, client: Client, replica: Replica) -> None:
        """While nothing is sampled; what was computed with other weights is forgotten.

        A request between the first two would ask for image features that are gone, and that ends
        vLLM.
        """
        reload = {"method": "reload_weights", "kwargs": {"weights_path": str(self.folder)}}
        try:
            await client.post(replica, "/pause?mode=wait")
            try:
                await client.load(replica, "/collective_rpc", reload)
                for cache in ("encoder", "mm", "prefix"):
                    await client.post(replica, f"/reset_{cache}_cache")
                await client.post(replica, "/update_weight_version", {"new_version": self.name})
            finally:
                await client.post(replica, "/resume")
        except Refused as fault:
            raise BadInput(_no_reload(replica, fault)) from None

    def are_of(self, reply: Any) -> bool:
        choices = reply["choices"]
        spans = [span for choice in choices for span in choice.get("weight_versions") or ()]
        return bool(spans) and all(span["version"] == self.name for span in spans)


@asynccontextmanager
async def _locked(file: Path) -> AsyncIterator[None]:
    lock = FileLock(file)
    while True:
        with suppress(Timeout):
            lock.acquire(blocking=False)
            break
        await asyncio.sleep(0.1)
    try:
        yield
    finally:
        lock.release()


def _add_tied_head(folder: Path) -> None:
    """Write a head that is tied to the embeddings too: on a CPU, vLLM keeps a copy of its own."""
    file = folder / "model.safetensors"
    if not file.exists():  # several files, as no CPU serves them
        return
    with safe_open(file, "pt") as weights:
        names = list(weights.keys())
        tied = [name for name in names if name.endswith("embed_tokens.weight")]
        if len(tied) == 1 and not any(name.endswith("lm_head.weight") for name in names):
            head = {"lm_head.weight": weights.get_tensor(tied[0])}
            save_file(head, folder / "tied_head.safetensors")


def _no_reload(replica: Replica, fault: Exception) -> str:
    return (
        f"{replica.url} does not take the policy's weights ({fault}): start it with "
        "VLLM_SERVER_DEV_MODE=1 and let it see the engine's folder, or train an adapter "
        "(configs/lora.yaml)"
    )


def make_weights(policy: Policy, name: str, folder: Path) -> ServedWeights:
    """A policy with an adapter is served by its adapter alone: 4-bit weights are never merged."""
    kind = AdapterWeights if has_adapter(policy.model) else WholeWeights
    return kind(name, folder / name)


def fingerprint(policy: Policy) -> list[float]:
    """A few sums over the weights that are trained, by which a change shows that has no number."""
    trained = [local(value) for value in policy.parameters() if value.requires_grad]
    if not trained:
        return []
    sums = [value.sum(dtype=torch.float32) for value in trained]
    norms = [torch.linalg.vector_norm(value, dtype=torch.float32) for value in trained]
    return torch.stack([torch.stack(sums).sum(), torch.stack(norms).sum()]).tolist()
