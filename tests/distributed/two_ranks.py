"""Trainings that must come to the same on one process and on two."""

import faulthandler
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from reasonrft.datamodules import CountingDataModule, Curriculum
from reasonrft.datamodules.batch_plans import shuffled
from reasonrft.losses import BNPOLoss, CISPOLoss, DAPOLoss, DrGRPOLoss, GRPOLoss, GSPOLoss
from reasonrft.modules import GRPOModule, SFTModule
from reasonrft.policy import Policy
from reasonrft.problems import Problem
from reasonrft.rewards import Reward
from reasonrft.rollout import Sampling
from tests.datamodules.reading import MadeUp, quiet
from tests.distributed.leaving import leave, refuse
from tests.distributed.processes import fork_ranks
from tests.distributed.served_ranks import served
from tests.distributed.ten_steps import CASES, STRATEGIES, ten_steps
from tests.modules.fitting import PROBLEMS, Capitals, Losses, data, difference, weights

SEVEN = [
    replace(problem, meta={"level": 1 + place % 2}) for place, problem in enumerate(PROBLEMS[:7])
]
LIMIT = 60.0
"""Seconds that one training may take; it takes two or three."""
ROWS = 4
"""Problems in a batch, for each of two processes: one gets four, the other three."""


def share(step: int, rank: int) -> set[str]:
    """Which problems one of two processes reads in a step, which is an epoch."""
    (batch,) = shuffled(len(SEVEN), 2 * ROWS, random.Random(f"0/{step}"))
    return {SEVEN[item].id for item in batch[rank::2]}


class OneSided(Reward):
    """Tells completions apart on the first rank alone in even steps, on the second in odd ones."""

    def reward_group(self, completions: Sequence[str], problem: Problem, step: int) -> list[float]:
        if problem.id not in share(step, rank=step % 2):
            return [0.5] * len(completions)
        return [sum(map(ord, text)) % 7 / 7 for text in completions]


class Coarse(Reward):
    """Equal for most small groups."""

    marks_right = True

    def reward(self, completion: str, problem: Problem) -> float:
        return float(len(completion) > 1)


class Raising(Reward):
    def reward(self, completion: str, problem: Problem) -> float:
        if problem.id in share(0, rank=1):
            raise ValueError("no such unit")
        return 0.5


class Overflowing(Reward):
    """Finite numbers, but not with a large weight."""

    def reward(self, completion: str, problem: Problem) -> float:
        return 1e38 if problem.id == min(share(0, rank=1)) else 0.5


def module(folder: Path, rewards: dict[str, Reward] | None = None, **options: Any) -> GRPOModule:
    settings = {"group_size": 3, "sampling": Sampling(max_tokens=6), "max_grad_norm": 1e9}
    policy = Policy(str(folder), train_parts=options.pop("parts", ("language",)))
    policy.stop_ids = frozenset(range(0, 256, 4))  # so that lengths differ, and some are cut
    return GRPOModule(
        policy,
        rewards or {"one_sided": OneSided(), "capitals": Capitals(weight=0.0)},
        optimizer=lambda params: torch.optim.SGD(params, 0.5),
        **{**settings, "micro_batch_tokens": 1, **options},
    )


REINFORCED: dict[str, dict[str, Any]] = {
    f"{loss.__name__}-{scale}-{beta}": {"loss": loss(), "scale": scale, "beta": beta}
    for loss, scale, beta in (
        (GRPOLoss, "group", 0.0),
        (GRPOLoss, "batch", 0.04),
        (DAPOLoss, "group", 0.04),
        (DrGRPOLoss, "batch", 0.0),
    )
} | {
    "bnpo": {"loss": BNPOLoss(), "beta": 0.04, "micro_batch_tokens": 1000, "max_grad_norm": 0.1},
    "gspo": {"loss": GSPOLoss(), "updates": 2},
    "cispo": {"loss": CISPOLoss(), "scale": "none", "count_truncated": False},
    "tower": {"parts": ("language", "projector", "tower")},
    "careless": {"careless": 1},
    "levels": {
        "loss": DAPOLoss(),
        "rewards": {"coarse": Coarse()},
        "group_size": 2,
        "dynamic_sampling": 2,
        "steps": 5,
        "curriculum": Curriculum(threshold=0.01, window=5, keep=0.5),
    },
}
TUNED: dict[str, dict[str, Any]] = {
    "accumulated": {"batch_size": 4, "accumulated": 2},
    "packed": {"batch_size": 8, "row_tokens": 1000},
}
STOPPED: dict[str, dict[str, Any]] = {
    "raising": {"rewards": {"raising": Raising()}},
    "overflowing": {"rewards": {"overflowing": Overflowing(weight=1e10)}},
}


def reinforce(
    folder: Path,
    ranks: int,
    careless: int | None = None,
    steps: int = 2,
    curriculum: Curriculum | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Some steps on the same seven problems, however many processes share them.

    By levels, each is on four of them at most, so that there are others.
    """
    one = module(folder, **options)
    if ranks > 1 and distributed.get_rank() == careless:
        forget_sharing(one)
    texts: dict[tuple[int, str], Sequence[str]] = {}
    metrics: list[Mapping[str, float]] = []
    silent: list[bool] = []

    def note(*_: Any) -> None:
        record = one.step_record
        assert record is not None
        ids = [problem.id for problem in record.problems]
        texts.update({(record.step, id): text for id, text in zip(ids, record.texts, strict=True)})
        metrics.append(record.metrics)
        silent.append(bool((record.advantages == 0).all()))

    one.on_train_batch_end = note  # type: ignore[method-assign]
    trainer(ranks, max_steps=steps * one.updates).fit(one, seven(ranks, curriculum))
    return {
        "weights": weights(one),
        "texts": texts,
        "metrics": metrics,
        "silent": silent,
        "supports_shared_prefix": one.policy.supports_shared_prefix,
    }


def forget_sharing(one: GRPOModule) -> None:
    """Make it a model that does not pass on who sees whom in shared rows."""

    def careless(module: Any, args: Any, kwargs: Any) -> Any:
        mask = kwargs.get("attention_mask")
        if mask is not None and mask.ndim == 4:
            del kwargs["sharing"]
        return args, kwargs

    one.configure_model()
    one.policy.model.get_decoder().register_forward_pre_hook(careless, with_kwargs=True)


def tune(folder: Path, ranks: int, batch_size: int, **options: Any) -> dict[str, Any]:
    """Two epochs of fine-tuning on eight examples."""
    accumulated, seen = options.pop("accumulated", 1), Losses()
    one = SFTModule(Policy(str(folder)), lambda params: torch.optim.SGD(params, 0.05), **options)
    batches = data(batch_size=batch_size // ranks, group_by_length=False)
    settings = {"accumulate_grad_batches": accumulated, "callbacks": [seen], "max_epochs": 2}
    trainer(ranks, **settings).fit(one, batches)
    return {"weights": weights(one), "losses": seen.by_step}


def stop(folder: Path, ranks: int, **options: Any) -> dict[str, Any]:
    """How a run ends that cannot go on."""
    one = module(folder, **options)
    one.configure_model()
    before = weights(one)
    try:
        trainer(ranks, max_steps=1).fit(one, seven(ranks))
    except Exception as error:
        moved = difference(before, weights(one)) > 0
        return {"error": repr(error), "moved": moved}
    return {}


def seven(ranks: int, curriculum: Curriculum | None = None) -> CountingDataModule:
    rows = ROWS if curriculum is None else ROWS // 2
    return CountingDataModule(MadeUp(SEVEN), batch_size=2 * rows // ranks, curriculum=curriculum)


def trainer(ranks: int, **options: Any) -> Any:
    strategy = "ddp" if ranks > 1 else "auto"
    return quiet(devices=ranks, strategy=strategy, **{"max_epochs": -1, **options})


def _runs(folder: Path, home: Path) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    for train, cases in ((reinforce, REINFORCED), (tune, TUNED), (stop, STOPPED)):
        for name, options in cases.items():
            yield name, partial(train, folder, 2, **options)
    yield "served", partial(served, folder, home)
    for strategy, make in STRATEGIES.items():
        for name, options in CASES.items():
            yield f"{name}-{strategy}", partial(ten_steps, folder, make(), **options)
        yield f"left-{strategy}", partial(leave, home, folder, 2, make())
        yield f"refused-{strategy}", partial(refuse, home, folder, 2, make())


def _run_all(ranks: int, home: Path, folder: Path) -> None:
    for name, run in _runs(folder, home):
        # Ranks that wait for each other forever show where, and end.
        faulthandler.dump_traceback_later(LIMIT, exit=True)
        torch.save(run(), home / f"{name}-{distributed.get_rank()}.pt")
        faulthandler.cancel_dump_traceback_later()


def run_on_two(folder: Path, home: Path) -> None:
    """All of them, on two processes that write what they come to."""
    fork_ranks(_run_all, 2, home, folder)
