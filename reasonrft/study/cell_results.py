"""What the runs of a cell have left."""

import json
import shutil
from pathlib import Path
from typing import Any

from reasonrft.report.metric_files import COMPUTE, read_history
from reasonrft.study.cells import Cell
from reasonrft.study.recipes import Stage, chosen_checkpoint
from reasonrft.study.study_config import STAGE_1


def measure(cell: Cell, stage: Stage, folder: Path) -> None:
    """Compute and the chosen checkpoint, from what a stage that trains has logged."""
    cell.compute = {"tokens": compute_tokens(folder) + compute_tokens(folder / STAGE_1)}
    if stage.name == STAGE_1:
        return
    best = best_validation(folder, cell.task)
    step, accuracy = best or (None, None)
    cell.chosen = {
        "checkpoint": chosen_checkpoint(folder).name,
        "step": None if step is None else step + 1,  # metrics count from 0 on
        "validation": accuracy,
    }


def compute_tokens(folder: Path) -> float:
    """Tokens of forward passes in all steps of a run."""
    return sum(read_history(folder).get(COMPUTE, {}).values())


def best_validation(folder: Path, task: str) -> tuple[int, float] | None:
    """Step and accuracy of the best validation, the first of equal ones."""
    values = read_history(folder).get(f"val/{task}/val/accuracy")
    return max(values.items(), key=lambda pair: pair[1]) if values else None


def read_summary(folder: Path) -> dict[str, Any] | None:
    """What the test of a cell has left; the last one where weights were tested twice."""
    files = sorted(folder.glob("evaluation/*/summary.json"), key=lambda path: path.stat().st_mtime)
    return json.loads(files[-1].read_bytes()) if files else None


def accuracies(folder: Path) -> str:
    """Strict accuracies of a cell's test, in %."""
    summary = read_summary(folder) or {"tasks": {}}
    splits = [split for tallies in summary["tasks"].values() for split in tallies.items()]
    shown = (f"{split} {100 * tally['strict']:.1f}" for split, tally in splits)
    return ", ".join(shown) or "no figures"


def drop_checkpoints(folder: Path) -> None:
    """Keep what was tested: checkpoints to go on from are as large again, twice."""
    for path in [*folder.glob("checkpoints/*last.ckpt"), *folder.glob("stage-1/checkpoints/*")]:
        if not (folder / "checkpoints" / "best.ckpt").exists():
            return
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
