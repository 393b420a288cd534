"""GRPO with servers as its rollout engine, and what a run leaves to be looked at."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer

from reasonrft.datamodules import CountingDataModule
from reasonrft.modules import GRPOModule
from reasonrft.policy import Policy
from reasonrft.policy.encoder import PromptBatch
from reasonrft.rollout import LocalEngine, Sampling, VLLMServerEngine
from reasonrft.rollout.engine import RolloutEngine
from tests.datamodules.reading import MadeUp, made_up, quiet
from tests.modules.fitting import Capitals, data
from tests.policy.problems import problem
from tests.vllm_server.serving import Server

TOLERANCE = 1e-4
"""Between the log-probs of a server and of the scorer, both in float32; 1e-5 is seen."""

GREEDY = Sampling(temperature=0, max_tokens=12)


class Steps(Callback):
    """What each step logged, and what is done to servers after it."""

    def __init__(self, after: dict[int, Callable[[], None]] | None = None) -> None:
        self.after = after or {}
        self.metrics: list[dict[str, float]] = []
        self.work: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: Trainer, module: Any, *rest: Any) -> None:
        record = module.step_record
        self.metrics.append(dict(record.metrics))
        self.work.append(dict(record.work))
        self.after.get(len(self.work), lambda: None)()

    def requests(self, replica: int) -> list[int]:
        """How many prompts a replica has answered in each step."""
        return [int(work.get(f"requests_{replica}", 0)) for work in self.work]


def engine_of(servers: list[Server], folder: Path) -> VLLMServerEngine:
    return VLLMServerEngine([server.url for server in servers], str(folder / "served"))


def train(policy: Policy, engine: RolloutEngine, steps: int, watch: Steps) -> GRPOModule:
    module = GRPOModule(
        policy,
        {"capitals": Capitals()},
        group_size=4,
        sampling=Sampling(max_tokens=12),
        optimizer=lambda params: torch.optim.AdamW(params, lr=0.01),
        engine=engine,
    )
    trainer = quiet(max_steps=steps, max_epochs=-1, callbacks=[watch])
    trainer.fit(module, data(batch_size=4))
    return module


def prompts(policy: Policy) -> PromptBatch:
    """One without an image, one with one and one with two."""
    problems = [problem(number, images=number) for number in range(3)]
    return policy.encoder.prompts(problems, [one.question for one in problems])


def answers(policy: Policy, engine: RolloutEngine, folder: Path) -> dict[str, str]:
    """What evaluation writes down as the answer to each problem."""
    options = {"answer_tokens": 12, "results": str(folder), "engine": engine}
    module = GRPOModule(policy, {"capitals": Capitals()}, **options)
    problems = [made_up(number) for number in range(4)]
    quiet().test(module, CountingDataModule(MadeUp([], id=problems)), verbose=False)
    lines = (folder / "answers.jsonl").read_text().splitlines()
    return {answer["id"]: answer["completion"] for answer in map(json.loads, lines)}


def greedy_ids(engine: RolloutEngine, policy: Policy) -> list[list[int]]:
    """Ids of greedy completions by the weights of now."""
    version = 10_000  # later than any of training
    with engine.ready(policy, version):
        rollout = engine.generate(prompts(policy), 1, GREEDY)
    return [group[0].ids.tolist() for group in rollout.completions]


def local_ids(policy: Policy) -> list[list[int]]:
    return greedy_ids(LocalEngine(), policy)


def loaded(folder: Path, **options: Any) -> Policy:
    policy = Policy(str(folder), **options)
    policy.load()
    return policy
