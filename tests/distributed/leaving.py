"""What a run of several ranks leaves: its export, the digest of its weights, answers to tests."""

from pathlib import Path
from typing import Any

from reasonrft.callbacks import ExportPolicy
from reasonrft.datamodules import GeneralDataModule
from reasonrft.evaluation.weights import weights_digest
from tests.datamodules.reading import MadeUp, made_up, quiet
from tests.distributed.ten_steps import load, reinforcing
from tests.modules.fitting import PROBLEMS

TESTS = {"few": [made_up(number) for number in (5, 8, 10)], "single": [made_up(11)]}
"""A split that two ranks share unevenly, and one that leaves a rank without a problem."""


def name_of(strategy: Any) -> str:
    return strategy if isinstance(strategy, str) else type(strategy).__name__


def leave(home: Path, folder: Path, ranks: int, strategy: Any) -> dict[str, Any]:
    """Three steps with an adapter, then the test."""
    module = reinforcing(load(folder, "lora"), answer_tokens=12)
    problems = GeneralDataModule(MadeUp(PROBLEMS, **TESTS), batch_size=8 // ranks)
    root = home / f"left-by-{ranks}-{name_of(strategy)}"
    settings = {"devices": ranks, "strategy": strategy, "default_root_dir": root}
    trainer = quiet(max_steps=3, callbacks=[ExportPolicy()], **settings)
    trainer.fit(module, problems)
    digest = weights_digest(module.policy)
    tested, *_ = trainer.test(module, problems, verbose=False)
    return {"digest": digest, "tested": tested, "root": str(root)}


def refuse(home: Path, folder: Path, ranks: int, strategy: Any) -> dict[str, Any]:
    """An export that the first rank cannot write, for its place holds somebody's files."""
    root = home / f"refused-{name_of(strategy)}"
    (root / "adapter").mkdir(parents=True, exist_ok=True)
    (root / "adapter" / "notes.pdf").touch()
    module = reinforcing(load(folder, "lora"))
    problems = GeneralDataModule(MadeUp(PROBLEMS[:2]), batch_size=1)
    settings = {"devices": ranks, "strategy": strategy, "default_root_dir": root}
    try:
        quiet(max_steps=1, callbacks=[ExportPolicy()], **settings).fit(module, problems)
    except Exception as error:
        return {"error": repr(error)}
    return {}
