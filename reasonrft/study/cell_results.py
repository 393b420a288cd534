"""What the runs of a cell have left."""

import json
import shutil
import signal
from pathlib import Path

from reasonrft.errors import printable
from reasonrft.study.cells import Cell
from reasonrft.study.recipes import Stage, chosen_checkpoint
from reasonrft.study.run_metrics import best_validation, compute_tokens
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


def how(code: int) -> str:
    """How a process ended that did not end well."""
    return f"exit code {code}" if code > 0 else f"ended by {signal.Signals(-code).name}"


def last_words(log: Path) -> str:
    """The sentence that a run has ended with; else its last line."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line.strip() for line in lines if line.strip()] or ["it said nothing"]
    own = [line for line in said if line.startswith("reasonrft: ")]
    return printable((own or said)[-1].removeprefix("reasonrft: "))


def accuracies(folder: Path) -> str:
    """Strict accuracies of a cell's test, in %."""
    for path in folder.glob("evaluation/*/summary.json"):
        tasks = json.loads(path.read_bytes())["tasks"]
        return ", ".join(
            f"{split} {100 * tally['strict']:.1f}"
            for splits in tasks.values()
            for split, tally in splits.items()
        )
    return "no figures"


def drop_checkpoints(folder: Path) -> None:
    """Keep what was tested: checkpoints to go on from are as large again, twice."""
    for path in [*folder.glob("checkpoints/*last.ckpt"), *folder.glob("stage-1/checkpoints/*")]:
        if not (folder / "checkpoints" / "best.ckpt").exists():
            return
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
