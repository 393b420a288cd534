"""Trains the tiny model in the paper's four ways, and asks it as it is.

    python benchmarks/paradigms.py --tasks [counting,structure,transformation]

Every run is a command of docs/training.md, and prints itself; runs that left their figures
are not run again. Reason-RFT starts from a stage 1 on few chains of thought, as in the paper.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forked_run import run_forked
from jsonargparse import CLI

TASKS = ("counting", "structure", "transformation")


@dataclass(frozen=True)
class Run:
    """A command of this package, what it leaves its figures in, and where they are in there."""

    name: str
    command: str
    configs: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    figures: str = "evaluation/*/summary.json"
    key: str | None = None


def compare(
    tasks: Sequence[str] = TASKS,
    stage_1: int = 1000,
    policy: str = "tiny",
    output: str = "outputs/paradigms",
    options: dict[str, Any] | None = None,
) -> None:
    """Print a table for each task as Markdown.

    Args:
        tasks: What to train on.
        stage_1: Chains of thought that Reason-RFT's first stage learns from.
        policy: The model that all start from.
        output: Folder for all runs.
        options: More options for every run, such as {trainer.max_steps: 100}.
    """
    for task in tasks:
        home = Path(output) / task
        results = {}
        for run in plan(task, policy, home, stage_1):
            if not list((home / run.name).glob(run.figures)):
                start(run, task, home / run.name, options or {})
            results[run.name] = read(home / run.name, run, task)
        print_table(task, results)


def plan(task: str, policy: str, home: Path, stage_1: int) -> Iterator[Run]:
    """All runs of a task, in their order."""
    base, first = {"policy": policy}, {"policy": home / "stage-1" / "policy"}
    grpo = {"figures": "summary.json", "key": "after"}
    yield Run("zero-shot", "test", ("sft.yaml",), base)
    for name, configs in (("ans-sft", ("sft.yaml", "ans_sft.yaml")), ("cot-sft", ("sft.yaml",))):
        yield from tuned(name, configs, base, home)
    yield Run("zero", "fit", ("grpo.yaml", "grpo_zero.yaml"), base, **grpo)
    yield from tuned("stage-1", ("sft.yaml",), base | {"data.limit": stage_1}, home)
    yield Run("rft", "fit", ("grpo.yaml",), first | {"data.skip": stage_1}, **grpo)


def tuned(
    name: str, configs: tuple[str, ...], options: dict[str, Any], home: Path
) -> Iterator[Run]:
    """Fine-tuning, and the test of what came of it."""
    yield Run(name, "fit", configs, options, figures="policy/config.json")
    yield Run(name, "test", configs, {"policy": home / name / "policy"})


def start(run: Run, task: str, home: Path, more: dict[str, Any]) -> None:
    """Run a command, whose output goes where this one's goes."""
    configs = [f"configs/{name}" for name in (*run.configs, f"data/{task}.yaml")]
    options = {**run.options, "trainer.default_root_dir": home, **more}
    args = [part for config in configs for part in ("--config", config)]
    run_forked([run.command, *args, *(f"--{name}={value}" for name, value in options.items())])


def read(home: Path, run: Run, task: str) -> dict[str, Any]:
    """Figures by split, or none where a run has none of its own."""
    if run.command == "fit" and run.key is None:
        return {}
    (file,) = home.glob(run.figures)
    figures = json.loads(file.read_text(encoding="utf-8"))
    return (figures[run.key] if run.key else figures["tasks"])[task]


def print_table(task: str, results: dict[str, dict[str, Any]]) -> None:
    splits = list(results["zero-shot"])
    print(f"\n| {task} | {' | '.join(splits)} |\n|{'---|' * (len(splits) + 1)}")
    for name, figures in results.items():
        cells = [
            "{:.1f} [{:.1f}, {:.1f}]".format(
                *(100 * value for value in (shares["strict"], *shares["interval"]))
            )
            for shares in (figures[split] for split in splits)
        ]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    CLI(compare, as_positional=False)
