"""A rollout engine that runs apart from the policy: with a copy of it, as a server has one."""

import threading
from typing import Any

import torch

from reasonrft.policy import Policy
from reasonrft.policy.sharding import full_parameters
from reasonrft.rollout import LocalEngine, Rollout, RolloutEngine


class ApartEngine(RolloutEngine):
    """Writes down what it is asked for, and fails where two things are asked for at once."""

    runs_apart = True

    def __init__(self) -> None:
        self.local = LocalEngine()
        self.copy: Policy | None = None
        self.log: list[tuple[Any, ...]] = []
        self._busy = threading.Lock()

    @torch.no_grad()
    def sync(self, policy: Policy, version: int) -> None:
        assert self._busy.acquire(blocking=False), "weights came while some were in use"
        self.log.append(("sync", version))
        if self.copy is None:
            self.copy = Policy(policy.path, train_parts=policy.train_parts)
            self.copy.load()
            self.copy.stop_ids = policy.stop_ids
        names = dict(self.copy.named_parameters())
        for name, value in full_parameters(policy):
            names[name].copy_(value)
        self.local.sync(self.copy, version)
        self._busy.release()

    def generate(self, batch: Any, *args: Any, **options: Any) -> Rollout:
        assert self._busy.acquire(blocking=False), "two rollouts at once"
        try:
            self.log.append(("generate", options.get("step"), self.local.version))
            return self.local.generate(batch, *args, **options)
        finally:
            self._busy.release()
