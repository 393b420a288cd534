"""Our side of grpo_step.py, and what both sides share; TRL's is in grpo_trl.py.

Each runs in a process of its own, takes a step when it is told to, and tells what that took.
"""

import contextlib
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import torch
from grpo_model import make_policy
from grpo_turns import Job, Turns
from lightning.pytorch import Callback, Trainer
from torch import Tensor

from reasonrft.datamodules import GeneralDataModule, ProblemSource
from reasonrft.losses import GRPOLoss
from reasonrft.modules import GRPOModule
from reasonrft.modules.step_metrics import Stopwatch
from reasonrft.policy import Policy
from reasonrft.policy.adapters import Lora
from reasonrft.policy.hub_paths import without_weights
from reasonrft.problems import Problem
from reasonrft.rewards import Reward
from reasonrft.rollout import Sampling, local

BETA, CLIP, MAX_NORM = 0.04, 0.2, 1.0
RANK, ALPHA = 16, 32
"""Of a LoRA adapter."""
END, LEAST = 0, 0.02
"""The token that ends completions at drawn lengths, and more than the likelihood that it has."""


def run(side: str, job: Job, line: Connection) -> None:
    """Train on one side, as the main program of a process."""
    torch.set_num_threads(job.threads)
    turns = Turns(line, job)
    # What trainers print belongs beside the table, not into it.
    with contextlib.redirect_stdout(sys.stderr), without_weights():
        if side == "ours":
            train_ours(job, turns)
        else:
            from grpo_trl import train_theirs  # TRL need not be here

            train_theirs(job, turns, use_vllm=side != "TRL")


def optimizer(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=1e-6, weight_decay=0.0)


def worth(completion: str) -> float:
    """A reward that differs between completions of equally many tokens."""
    return len(completion) / 100


class Length(Reward):
    def reward(self, completion: str, problem: Problem) -> float:
        return worth(completion)


class Given(ProblemSource):
    """Problems that are at hand."""

    splits = ("train",)

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.given = problems

    def problems(self, split: str, task: str | None = None) -> Sequence[Problem]:
        return self.given


class OurTurns(Callback):
    def __init__(self, turns: Turns) -> None:
        self.turns = turns

    def on_train_start(self, trainer: Trainer, module: Any) -> None:
        self.turns.watch(module.policy.model, tokens=False)  # replayed graphs pass no decoder
        self.turns.clock(module, "add_reference_log_probs", "reference")
        self.turns.wait_before(Stopwatch, "phase")
        self.turns.begin()

    def on_train_batch_end(self, trainer: Trainer, module: Any, *rest: Any) -> None:
        record, phases = module.step_record, self.turns.phases
        for name in ("rollout", "reward", "update"):
            phases[name] = record.metrics[f"time/{name}"]
        phases["update"] -= phases["reference"]
        self.turns.positions += int(record.work["row_steps"])
        names = [problem.id for problem in record.problems]
        self.turns.end(names, record.work["prompt_tokens"], record.work["decoded_tokens"])


def train_ours(job: Job, turns: Turns) -> None:
    adapter = Lora(RANK, ALPHA) if job.adapter else None
    policy = make_policy(
        job.folder, job.dtype, job.device, adapter=adapter, train_parts=job.train_parts
    )
    end(policy, job)
    module = GRPOModule(
        policy,
        {"length": Length()},
        job.group_size,
        Sampling(temperature=1.0, max_tokens=job.completion_tokens),
        loss=GRPOLoss(CLIP, CLIP),
        beta=BETA,
        max_grad_norm=MAX_NORM,
        optimizer=optimizer,
    )
    trainer = Trainer(
        accelerator=job.device,
        devices=1,
        max_steps=job.steps,
        max_epochs=-1,
        callbacks=[OurTurns(turns)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(module, GeneralDataModule(Given(job.problems), batch_size=job.prompts))


def end(policy: Policy, job: Job) -> None:
    """Let completions end where the job says: by themselves, or none before the last token.

    The random number 0 takes token 0, and no other number of ours does, so that token 0 can be the
    one that ends a completion. Whatever the loop is, it draws from these numbers.
    """
    if job.lengths == "equal":
        policy.stop_ids = frozenset({-1})
        return
    policy.stop_ids = frozenset({END})
    drawn = local.uniforms

    def numbers(seed: int | str, step: int, prompt: str, completion: int, count: int) -> Tensor:
        values = LEAST + (1 - LEAST) * drawn(seed, step, prompt, completion, count)
        length = job.lengths_of(prompt)[completion]
        if length < count:
            values[length - 1] = 0.0
        return values

    local.uniforms = numbers
