"""The command lines of a cell: a stage is a run of `fit`, or the test of what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from reasonrft.cli.config_files import checked_config
from reasonrft.cli.fit_options import as_options
from reasonrft.study.cells import Cell
from reasonrft.study.run_settings import Settings
from reasonrft.study.study_config import MATCHED, STAGE_1, Options, Study

CONFIGS = {
    "zero-shot": ("sft.yaml",),
    "ans-sft": ("sft.yaml", "ans_sft.yaml"),
    "cot-sft": ("sft.yaml",),
    "rft-zero": ("grpo.yaml", "grpo_zero.yaml"),
    "rft": ("grpo.yaml",),
    STAGE_1: ("sft.yaml",),
}
CELL_CONFIG = "configs/study/cell.yaml"
TEST_OPTIONS = {"blind": True, "swap": True}


@dataclass(frozen=True)
class Stage:
    """A run of a cell: its name, and what it learns from."""

    name: str
    """stage-1, fit or test."""
    paradigm: str
    """Whose configs and options it has."""
    limit: int = 0
    """Problems that it learns from, drawn at random."""
    skip: int = 0
    """Problems that another stage learned from."""

    @property
    def trains(self) -> bool:
        return self.name != "test"


def stages(study: Study, cell: Cell) -> list[Stage]:
    """What a cell runs, in its order."""
    count = int(study.problems_of(cell.task) * cell.fraction)
    test = Stage("test", cell.paradigm)
    if cell.paradigm == "zero-shot":
        return [test]
    if cell.paradigm != "rft":
        return [Stage("fit", cell.paradigm, count), test]
    chains = round(count * study.chains)
    return [
        Stage("stage-1", STAGE_1, chains),
        Stage("fit", "rft", count - chains, chains),
        test,
    ]


def command(
    study: Study, cell: Cell, stage: Stage, home: Path, settings: Settings | None = None
) -> list[str]:
    """The arguments of a stage's command.

    Args:
        study: What the cell is of.
        cell: The cell.
        stage: Its stage.
        home: The study's folder.
        settings: How long it trains, once that is known.
    """
    folder = home / cell.folder
    options = study.options_of(cell.task, stage.paradigm) | {
        "policy": str(folder / STAGE_1 / "policy") if stage.paradigm == "rft" else study.policy,
        "seed_everything": cell.seed,
        "trainer.default_root_dir": str(folder / STAGE_1 if stage.name == STAGE_1 else folder),
    }
    if stage.trains:
        options |= {"data.limit": stage.limit, "data.skip": stage.skip}
        # No test is looked at in training.
        options |= {"trainer.limit_test_batches": 0}
    if stage.trains and settings is not None:
        # Nothing is chosen of stage 1, but where stage 2 begins is worth knowing.
        validations = 1 if stage.name == STAGE_1 else study.validations
        options |= length_of(settings, validations) | {"ckpt_path": "last"}
    configs = configs_of(study, cell.task, stage.paradigm)
    options = drawn(study, cell.task, configs) | options
    if not stage.trains:
        options |= TEST_OPTIONS
        if stage.paradigm != "zero-shot":
            options["ckpt_path"] = str(chosen_checkpoint(folder))
    named = (part for config in configs for part in ("--config", config))
    return ["fit" if stage.trains else "test", *named, *as_options(options)]


def configs_of(study: Study, task: str, paradigm: str) -> list[str]:
    """Later ones win."""
    first, *over = CONFIGS[paradigm.removesuffix(MATCHED)]
    own = study.grpo if first == "grpo.yaml" else study.sft
    shipped = [f"configs/{name}" for name in (first, *over)]
    return [*shipped, *own, study.task_config.format(task=task), CELL_CONFIG]


def drawn(study: Study, task: str, configs: Sequence[str]) -> Options:
    """A world draws as many problems as there are to be."""
    data = yaml.safe_load(checked_config(configs[-2]).read_text("utf-8")).get("data") or {}
    source = (data.get("init_args") or {}).get("source") or {}
    is_drawn = str(source.get("class_path", "")).endswith("DrawnProblems")
    return {"data.source.train": study.problems_of(task)} if is_drawn else {}


def length_of(settings: Settings, validations: int) -> Options:
    """Steps, and how often to validate, in batches; the last step is one that is validated."""
    return {
        "trainer.max_steps": settings.steps,
        "trainer.max_epochs": -1,
        "trainer.val_check_interval": max(1, settings.batches // validations),
    }


def chosen_checkpoint(folder: Path) -> Path:
    """The best on the validation; the last one where nothing was validated."""
    best, last = (folder / "checkpoints" / name for name in ("best.ckpt", "last.ckpt"))
    return last if last.exists() and not best.exists() else best
