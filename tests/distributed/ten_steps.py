"""Ten steps under every strategy, with all weights, an adapter, or one on weights in 4 bits.

Completions and responses are ragged, and batches are not shared out evenly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import distributed

from reasonrft.datamodules import GeneralDataModule
from reasonrft.datamodules.sampler import ProblemLoader
from reasonrft.distributed.sharding_strategy import ShardingStrategy
from reasonrft.losses import PerceptionLoss
from reasonrft.modules import DPOModule, GRPOModule, SFTModule
from reasonrft.policy import Policy
from reasonrft.policy.adapters import Lora
from reasonrft.policy.sharding import full_parameters
from reasonrft.problems import Problem
from reasonrft.rewards import ReasoningReflectionReward, Reward
from reasonrft.rollout import NoisyRollout, Sampling
from reasonrft.teachers import PolicyTeacher
from reasonrft.worlds import BlackPatches
from tests.datamodules.reading import MadeUp, quiet
from tests.modules.fitting import PAIRS, PROBLEMS, Capitals, Losses
from tests.rollout.apart import ApartEngine

MIXED = [replace(problem, images=()) if at < 5 else problem for at, problem in enumerate(PROBLEMS)]
"""More than a rank's half has no image."""
PARTS = ("language", "projector", "tower")
MASK = BlackPatches(0.6, 7)
WEIGHTS: dict[str, dict[str, Any]] = {
    "full": {},
    "lora": {"adapter": Lora(rank=4)},
    "qlora": {"adapter": Lora(rank=4), "quantize": "nf4"},
}


class Again(ProblemLoader):
    """The batch after the last is the first one."""

    def peek(self, ends_epoch: bool) -> Any:
        return next(iter(self))


class Dealt(GeneralDataModule):
    """Deals out all problems in each step, as many to the first rank as is said."""

    def __init__(self, problems: Sequence[Problem], first: int, parts: int = 1) -> None:
        super().__init__(MadeUp(problems))
        self.dealt, self.first, self.parts = list(problems), first, parts

    def setup(self, stage: str) -> None:
        """Problems with images and without are mixed, as nobody may do by accident."""

    def train_dataloader(self) -> Any:
        rank, ranks = self._ranks
        count = len(self.dealt)
        mine = range(count) if ranks == 1 else [range(self.first), range(self.first, count)][rank]
        batches = [list(mine[part :: self.parts]) for part in range(self.parts)]
        return Again(self.dealt, batches, self._encode(self._kind))


class Half(Reward):
    """Tells the completions of some problems apart, and not those of others."""

    def reward_group(self, completions: Sequence[str], problem: Problem, step: int) -> list[float]:
        if problem.id in {other.id for other in PROBLEMS[4 * (step % 2) :][:4]}:
            return [0.5] * len(completions)
        return [sum(map(ord, text)) % 7 / 7 for text in completions]


class Metrics(Callback):
    """The metrics of every step."""

    def __init__(self) -> None:
        self.by_step: list[dict[str, float]] = []

    def on_train_batch_end(self, trainer: Trainer, module: Any, *rest: Any) -> None:
        if isinstance(module, GRPOModule):
            assert module.step_record is not None
            self.by_step.append(dict(module.step_record.metrics))


def load(folder: Path, weights: str, **options: Any) -> Policy:
    torch.manual_seed(0)  # an adapter's first values
    policy = Policy(str(folder), **WEIGHTS[weights], **options)
    policy.load()
    policy.stop_ids = frozenset(range(0, 256, 4))  # so that lengths differ, and some are cut
    return policy


def reinforcing(policy: Policy, signals: bool = False, **options: Any) -> GRPOModule:
    rate = 0.5 if policy.adapter else 0.2
    rewards: dict[str, Reward] = {"half": Half(), "capitals": Capitals(weight=0.1)}
    if signals:  # of the policy itself, and of a teacher
        rewards["r3"] = ReasoningReflectionReward(weight=0.1)
        options["teacher"] = PolicyTeacher(Policy(policy.path), weight=0.1)
    settings = {"beta": 0.04, "group_size": 3, "micro_batch_tokens": 500, "max_grad_norm": 0.5}
    return GRPOModule(
        policy,
        rewards,
        optimizer=lambda params: torch.optim.SGD(params, rate, momentum=0.5),
        sampling=Sampling(max_tokens=6),
        **{**settings, **options},
    )


def tuning(policy: Policy, **options: Any) -> SFTModule:
    # An epsilon well above rounding, which Adam would else make steps of.
    return SFTModule(policy, lambda params: torch.optim.AdamW(params, 3e-3, eps=1e-3), **options)


def preferring(policy: Policy, **options: Any) -> DPOModule:
    settings = {"beta": 0.5, "micro_batch_tokens": 500, "max_grad_norm": 0.5}
    return DPOModule(
        policy,
        optimizer=lambda params: torch.optim.SGD(params, 0.1, momentum=0.5),
        **{**settings, **options},
    )


MODULES: dict[str, Any] = {"sft": tuning, "grpo": reinforcing, "dpo": preferring}


def ten_steps(
    folder: Path,
    strategy: Any,
    method: str,
    weights: str = "full",
    problems: Sequence[Problem] = PROBLEMS,
    first: int = 5,
    parts: int = 1,
    steps: int = 10,
    loaded: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Train on the same problems time and again, however many processes share them.

    Args:
        folder: Of the model.
        strategy: Of the Trainer.
        method: sft, grpo or dpo.
        weights: What is trained: full, lora, qlora.
        problems: All problems of a step.
        first: How many of them the first of two ranks gets.
        parts: Batches that a step is accumulated over.
        steps: How often the policy is updated on them.
        loaded: Options of the policy.
        options: Those of the module.
    """
    policy = load(folder, weights, **(loaded or {}))
    module: Any = MODULES[method](policy, **options)
    recorded, losses = Metrics(), Losses()
    trainer = quiet(
        strategy=strategy,
        devices=distributed.get_world_size() if distributed.is_initialized() else 1,
        max_epochs=steps,
        accumulate_grad_batches=parts,
        callbacks=[recorded, losses],
        gradient_clip_val=0.5 if method == "sft" else None,
    )
    trainer.fit(module, Dealt(problems, first, parts))
    values = {name: value.clone() for name, value in full_parameters(policy)}
    return {"weights": values, "metrics": recorded.by_step, "losses": losses.by_step}


STRATEGIES: dict[str, Any] = {"ddp": lambda: "ddp", "fsdp": ShardingStrategy}


def cases() -> dict[str, dict[str, Any]]:
    """The options of `ten_steps` by name."""
    matrix: dict[str, dict[str, Any]] = {
        f"{method}-{weights}": {"method": method, "weights": weights}
        for method in ("sft", "grpo")
        for weights in WEIGHTS
    }
    matrix["grpo-full"]["updates"] = 2
    matrix["sft-lora"]["parts"] = 2
    imageless = {"problems": MIXED, "first": 4, "loaded": {"train_parts": PARTS}}
    brief: dict[str, dict[str, Any]] = {
        "sft-imageless": {"method": "sft", **imageless},
        "grpo-imageless": {
            "method": "grpo",
            "micro_batch_tokens": 1,
            "perception": PerceptionLoss(mask=MASK),
            **imageless,
        },
        "grpo-imageless-lora": {"method": "grpo", "weights": "lora", **imageless},
        "sft-empty": {"method": "sft", "first": 8},
        "dpo": {"method": "dpo", "problems": PAIRS},
        "dpo-empty-lora": {"method": "dpo", "problems": PAIRS, "first": 8, "weights": "lora"},
        "grpo-empty": {"method": "grpo", "first": 8, "signals": True},
        "grpo-silent": {"method": "grpo", "first": 4, "beta": 0.0},
        "grpo-recomputed": {
            "method": "grpo",
            "loaded": {"activation_checkpointing": True},
            "perception": PerceptionLoss(mask=MASK, gradient="both", masked_entropy=0.01),
        },
        "grpo-ahead": {
            "method": "grpo",
            "engine": ApartEngine(),
            "async_steps": 1,
            "signals": True,
        },
        "grpo-resampled": {
            "method": "grpo",
            "resample": 2,
            "group_size": 2,
            "noisy_rollout": NoisyRollout(steps=3, midpoint=1, sharpness=2),
        },
    }
    return matrix | {name: {"steps": 3, **options} for name, options in brief.items()}


CASES = cases()
