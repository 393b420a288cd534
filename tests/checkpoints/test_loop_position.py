"""A run goes on from any of its checkpoints to the very checkpoints that came after it.

If that holds from each to each, it holds for any number of kills, wherever they hit.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, Trainer

from reasonrft.checkpoints.loop_position import straighten
from reasonrft.datamodules import CountingDataModule, Curriculum
from reasonrft.modules import GRPOModule, SFTModule
from reasonrft.modules.base import ReasoningModule
from reasonrft.modules.schedules import WarmupLinear
from reasonrft.policy import Policy
from reasonrft.rewards import Reward
from reasonrft.rollout import Sampling
from tests.datamodules.reading import MadeUp, made_up, quiet
from tests.modules.fitting import Capitals, Even

pytestmark = pytest.mark.filterwarnings("ignore")

LEVELS = {2: 1, 9: 1, 4: 2, 1: 2, 7: 3}
TRAINED = [made_up(number, meta={"level": LEVELS[number]}) for number in LEVELS]
"""Three batches."""
ACCUMULATED = {"accumulate_grad_batches": 2}
RUNS: dict[str, dict[str, Any]] = {
    "by epochs": {"max_epochs": 2},
    "by steps": {"max_steps": 5},
    "accumulated, by epochs": {"max_epochs": 2, **ACCUMULATED},
    "accumulated, by steps that end inside": {"max_steps": 3, **ACCUMULATED},
    "validated inside": {"max_epochs": 2, "val_check_interval": 2},
    "validated, by steps": {"max_steps": 4, "limit_val_batches": 1},
    "fewer batches": {"max_steps": 3, "limit_train_batches": 2},
    "reinforced by levels, by epochs": {"max_epochs": 2},
    "reinforced, by steps": {"max_steps": 8, "limit_val_batches": 1},
}


class KeepAll(Callback):
    """A checkpoint at every point where some callback takes one, by when that was."""

    def __init__(self, folder: Path, starts: bool) -> None:
        self.folder, self.starts = folder, starts
        self.paths: dict[tuple[int, str], Path] = {}
        folder.mkdir()

    def keep(self, trainer: Trainer, hook: str) -> None:
        when = (trainer.fit_loop.total_batch_idx, hook)
        path = self.folder / f"{len(self.paths)}.ckpt"
        trainer.save_checkpoint(path)
        assert when not in self.paths
        self.paths[when] = path

    def on_train_batch_start(self, trainer: Trainer, *rest: Any) -> None:
        if self.starts:
            self.keep(trainer, "start")

    def on_train_batch_end(self, trainer: Trainer, *rest: Any) -> None:
        self.keep(trainer, "end")

    def on_validation_end(self, trainer: Trainer, module: Any) -> None:
        self.keep(trainer, "validation")

    def on_train_epoch_end(self, trainer: Trainer, module: Any) -> None:
        self.keep(trainer, "epoch")


def adam(params: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(params, 0.01)


def fine_tuned(folder: Path) -> SFTModule:
    return SFTModule(Policy(str(folder)), adam, WarmupLinear, answer_tokens=2)


def reinforced(
    folder: Path, rewards: dict[str, Reward] | None = None, **options: Any
) -> GRPOModule:
    return GRPOModule(
        Policy(str(folder)),
        rewards or {"capitals": Capitals()},
        group_size=2,
        sampling=Sampling(max_tokens=4),
        optimizer=adam,
        answer_tokens=2,
        **(options or {"beta": 0.04, "updates": 2}),
    )


def by_levels(folder: Path) -> GRPOModule:
    """By levels that open on the way, and with prompts that are replaced by others."""
    return reinforced(folder, {"even": Even()}, dynamic_sampling=2)


def run(
    module: ReasoningModule, folder: Path, options: dict[str, Any], start: Path | None = None
) -> tuple[dict[tuple[int, str], Path], int]:
    """The checkpoints of a run, and the number of its steps."""
    keep = KeepAll(folder, options == RUNS["by epochs"] and isinstance(module, SFTModule))
    validated = {"val": TRAINED[:2]} if any("val" in name for name in options) else {}
    tells = isinstance(module, GRPOModule) and module.reports_pass_rates
    curriculum = Curriculum(threshold=0.4, window=3) if tells else None
    data = CountingDataModule(MadeUp(TRAINED, **validated), batch_size=2, curriculum=curriculum)
    trainer = quiet(callbacks=[keep], num_sanity_val_steps=0, **options)
    trainer.fit(module, data, ckpt_path=start and str(start))
    return keep.paths, trainer.global_step


def content(path: Path, accumulated: int) -> dict[str, Any]:
    """What a checkpoint says, its counters as they are gone on with."""
    checkpoint = torch.load(path, weights_only=True)
    straighten(checkpoint["loops"]["fit_loop"], accumulated)
    del checkpoint["loops"]["validate_loop"], checkpoint["loops"]["test_loop"]
    return checkpoint


def differences(first: Any, second: Any, at: str = "") -> list[str]:
    if isinstance(first, dict) and isinstance(second, dict):
        if first.keys() != second.keys():
            return [f"{at}: {first.keys() ^ second.keys()}"]
        return [d for key in first for d in differences(first[key], second[key], f"{at}/{key}")]
    if isinstance(first, list | tuple) and len(first) == len(second):
        pairs = enumerate(zip(first, second, strict=True))
        return [d for key, (a, b) in pairs for d in differences(a, b, f"{at}/{key}")]
    same = torch.equal(first, second) if isinstance(first, torch.Tensor) else first == second
    return [] if same else [f"{at}: {first} {second}"]


@pytest.mark.parametrize("name", RUNS)
def test_every_checkpoint_leads_to_all_later_ones(name, family_folder, tmp_path):
    options, folder = RUNS[name], family_folder("qwen3-vl")
    accumulated = options.get("accumulate_grad_batches", 1)
    makers = {"reinforced": reinforced, "reinforced by levels": by_levels}
    make = makers.get(name.split(",")[0], fine_tuned)
    whole, steps = run(make(folder), tmp_path / "whole", options)
    expected = {when: content(path, accumulated) for when, path in whole.items()}
    order = list(whole)
    if make is by_levels:
        opened = [expected[when]["CountingDataModule"]["curriculum"]["opened"] for when in order]
        assert opened[0] == [0] and len(opened[-1]) == 3, "no level opens on the way"
    for at, start in enumerate(order[:-1]):
        taken, at_end = run(make(folder), tmp_path / str(at), options, whole[start])
        assert at_end == steps
        # Hooks of a batch or an epoch that had begun are not called again.
        assert [when for when in order[at + 1 :] if when[1] == "end"] == [
            when for when in taken if when[1] == "end"
        ]
        for when, path in taken.items():
            assert not differences(expected[when], content(path, accumulated)), (start, when)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"max_epochs": 1}, {"max_epochs": 2}),
        ({"max_steps": 3}, {"max_epochs": 2}),
        ({"max_steps": 2}, {"max_steps": 5}),
        ({"max_epochs": 1, **ACCUMULATED}, {"max_epochs": 2, **ACCUMULATED}),
    ],
)
def test_a_run_that_has_ended_is_extended(first, then, family_folder, tmp_path):
    folder = family_folder("qwen3-vl")
    # Its learning rate would fall by the end of the shorter run.
    make = lambda: SFTModule(Policy(str(folder)), adam)  # noqa: E731
    whole, steps = run(make(), tmp_path / "whole", then)
    begun, _ = run(make(), tmp_path / "begun", first)
    last = [path for (_, hook), path in begun.items() if hook == "end"][-1]
    for start in (last, list(begun.values())[-1]):
        extended, at_end = run(make(), tmp_path / start.stem, then, start)
        assert at_end == steps
        final = [list(paths.values())[-1] for paths in (whole, extended)]
        accumulated = then.get("accumulate_grad_batches", 1)
        assert not differences(*(content(path, accumulated) for path in final))
