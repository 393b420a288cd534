"""Accuracy on every test split before training and after it."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from tqdm import tqdm

from reasonrft.callbacks.run_state import is_dry_run
from reasonrft.distributed.ranks import print_once, raise_on_all_ranks
from reasonrft.errors import BadInput
from reasonrft.evaluation.comparison import comparison_markdown, comparison_text, differences
from reasonrft.evaluation.report import extend
from reasonrft.evaluation.results import Summary
from reasonrft.files import Staging


class BeforeAndAfter(Callback):
    """Answers the test splits before training and after it; prints and writes the difference.

    Data without test splits is measured on its validation splits. `summary.json` and `summary.md`
    go to the trainer's default_root_dir. A run that is resumed keeps the figures of its start.
    With a trainer whose limit_test_batches is 0 nothing is measured.
    """

    def __init__(self, limit: int | None = None) -> None:
        """
        Args:
            limit: Answer so many problems of each split, drawn at random; all if not given.
        """
        if limit is not None and limit < 1:
            raise BadInput(f"BeforeAndAfter: limit is {limit}: it must be at least 1")
        self.limit = limit
        self.stage: str | None = None
        """Whose splits are answered: "test" or "validate"; None where there are none."""
        self.before: dict[str, Any] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage != "fit" or is_dry_run(trainer) or trainer.limit_test_batches == 0:
            return
        data: Any = getattr(trainer, "datamodule", None)
        self.stage, obstacle = _stage(data, pl_module)
        if obstacle:
            rank_zero_warn(f"BeforeAndAfter: {obstacle}, so nothing is measured")
        elif self.stage == "validate":
            rank_zero_info(
                "BeforeAndAfter: the data has no test splits, so its validation splits are measured"
            )
        else:
            # For training alone, the datamodule prepares no test.
            if trainer.local_rank == 0:
                data.source.prepare(data.eval_splits("test"))
            trainer.strategy.barrier()
            data.setup("test")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.stage is None:
            return
        if trainer.global_step:
            with raise_on_all_ranks():
                self.before = _read_before(trainer)
            self.before = trainer.strategy.broadcast(self.before)
            return
        rank_zero_info(f"answering the {self._splits} splits before training")
        self.before = self._measure(trainer, pl_module)
        _write(trainer, self._summary(trainer, pl_module, {}))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.stage is None:
            return
        rank_zero_info(f"answering the {self._splits} splits after training")
        summary = self._summary(trainer, pl_module, self._measure(trainer, pl_module))
        _write(trainer, summary)
        print_once(comparison_text(summary))

    @property
    def _splits(self) -> str:
        return "validation" if self.stage == "validate" else "test"

    def _measure(self, trainer: Trainer, pl_module: Any) -> dict[str, Any]:
        """Tallies by task and split, in the order of reports."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        loaders = data.eval_loaders(self.stage, self.limit)
        shown = trainer.is_global_zero and trainer.progress_bar_callback and sys.stderr.isatty()
        total = sum(map(len, loaders))
        with tqdm(total=total, unit=" batches", leave=False, disable=not shown) as bar:
            tallies = pl_module.measure([_counted(loader, bar) for loader in loaders], self.stage)
        return extend({}, {"policy": _name(pl_module)}, tallies)["tasks"]

    def _summary(
        self, trainer: Trainer, pl_module: LightningModule, after: dict[str, Any]
    ) -> Summary:
        return {
            "policy": _name(pl_module),
            "seed": getattr(pl_module, "seed", None),
            "steps": trainer.global_step,
            "before": self.before,
            "after": after,
            "difference": differences(self.before, after),
        }


def _stage(data: Any, module: LightningModule) -> tuple[str | None, str]:
    """Whose splits can be answered; if none, what stands in the way."""
    if not hasattr(module, "measure"):
        return None, f"{type(module).__name__} has no method measure"
    if not hasattr(data, "eval_loaders"):
        return None, "the data is of no datamodule that has eval_splits and eval_loaders"
    for stage in ("test", "validate"):
        if data.eval_splits(stage):
            return stage, ""
    return None, "the data has neither test nor validation splits"


def _name(module: LightningModule) -> str:
    """The path of the module's policy; if it has none, the module's class."""
    return getattr(getattr(module, "policy", None), "path", type(module).__name__)


def _counted(batches: Iterable[Any], bar: tqdm) -> Iterator[Any]:
    for batch in batches:
        yield batch
        bar.update()


def _write(trainer: Trainer, summary: Summary) -> None:
    home = Path(trainer.default_root_dir)
    with raise_on_all_ranks(), Staging() as staging:
        if not trainer.is_global_zero:
            return
        staging.write(home / "summary.json", (json.dumps(summary, indent=1) + "\n").encode())
        staging.write(home / "summary.md", comparison_markdown(summary).encode())


def _read_before(trainer: Trainer) -> dict[str, Any]:
    """What was measured when the run began, as the first rank's file holds it."""
    if not trainer.is_global_zero:
        return {}
    path = Path(trainer.default_root_dir) / "summary.json"
    if not path.exists():
        rank_zero_warn(f"{path} is not there: what was measured before training is not known")
        return {}
    try:
        return json.loads(path.read_bytes())["before"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} is not a summary of a run: delete it ({error})") from error
