"""What training did for the answers to every test split."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from tqdm import tqdm

from reasonrft.callbacks.run_state import is_dry
from reasonrft.errors import BadInput
from reasonrft.evaluation.comparison import comparison_markdown, comparison_text, differences
from reasonrft.evaluation.report import extend
from reasonrft.evaluation.results import Summary
from reasonrft.files import Staging
from reasonrft.modules.base import ReasoningModule


class BeforeAndAfter(Callback):
    """Answers the test splits before training and after it; prints and writes the difference.

    `summary.json` and `summary.md` in the trainer's default_root_dir. A run that is resumed keeps
    the figures of its start.
    """

    def __init__(self, limit: int | None = None) -> None:
        """
        Args:
            limit: Answer so many problems of each split, drawn at random; all if not given.
        """
        self.limit = limit
        self.before: dict[str, Any] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        data: Any = getattr(trainer, "datamodule", None)
        if stage != "fit" or is_dry(trainer):
            return
        if not hasattr(data, "eval_loaders"):
            raise BadInput("BeforeAndAfter needs a datamodule of reasonrft, which knows its splits")
        # For training alone, the datamodule prepares no test.
        if trainer.local_rank == 0:
            data.source.prepare(data.eval_splits("test"))
        trainer.strategy.barrier()
        data.setup("test")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if is_dry(trainer) or not isinstance(pl_module, ReasoningModule):
            return
        if trainer.global_step:
            self.before = trainer.strategy.broadcast(_kept(trainer))
            return
        rank_zero_info("answering the test splits before training")
        self.before = self._measure(trainer, pl_module)
        _write(trainer, self._summary(trainer, pl_module, {}))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if is_dry(trainer) or not isinstance(pl_module, ReasoningModule):
            return
        rank_zero_info("answering the test splits after training")
        summary = self._summary(trainer, pl_module, self._measure(trainer, pl_module))
        _write(trainer, summary)
        pl_module.print(comparison_text(summary))

    def _measure(self, trainer: Trainer, pl_module: ReasoningModule) -> dict[str, Any]:
        """Tallies by task and split, in the order of reports."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        loaders = data.eval_loaders("test", self.limit)
        shown = trainer.is_global_zero and trainer.progress_bar_callback and sys.stderr.isatty()
        total = sum(map(len, loaders))
        with tqdm(total=total, unit=" batches", leave=False, disable=not shown) as bar:
            tallies = pl_module.measure(_counted(loader, bar) for loader in loaders)
        return extend({}, {"policy": pl_module.policy.path}, tallies)["tasks"]

    def _summary(
        self, trainer: Trainer, pl_module: ReasoningModule, after: dict[str, Any]
    ) -> Summary:
        return {
            "policy": pl_module.policy.path,
            "seed": pl_module.seed,
            "steps": trainer.global_step,
            "before": self.before,
            "after": after,
            "difference": differences(self.before, after),
        }


def _counted(batches: Iterable[Any], bar: tqdm) -> Iterator[Any]:
    for batch in batches:
        yield batch
        bar.update()


def _write(trainer: Trainer, summary: Summary) -> None:
    if not trainer.is_global_zero:
        return
    home = Path(trainer.default_root_dir)
    with Staging() as staging:
        staging.write(home / "summary.json", (json.dumps(summary, indent=1) + "\n").encode())
        staging.write(home / "summary.md", comparison_markdown(summary).encode())


def _kept(trainer: Trainer) -> dict[str, Any]:
    """What was measured when the run began, as the first rank finds it on file."""
    if not trainer.is_global_zero:
        return {}
    place = Path(trainer.default_root_dir) / "summary.json"
    if not place.exists():
        rank_zero_warn(f"{place} is not there: how the policy was before is not known")
        return {}
    try:
        return json.loads(place.read_bytes())["before"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{place} is not a summary of a run: delete it ({error})") from error
