"""Runs stage 2 as it ships with several seeds: accuracies before and after, in and out of domain.

    python benchmarks/seeds.py --seeds [0,1,2]

Runs that left their figures are not run again.
"""

import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import CLI

from reasonrft.cli.child_runs import ChildRuns

Figures = Mapping[str, Any]


def repeat(
    seeds: Sequence[int] = (0, 1, 2),
    config: str = "configs/grpo.yaml",
    output: str = "outputs/seeds",
    options: dict[str, Any] | None = None,
) -> None:
    """Print a table as Markdown, with the mean over seeds.

    Args:
        seeds: Of problems' order and of completions.
        config: What is run.
        output: Folder for all runs.
        options: More options for every run, such as {trainer.max_steps: 20}.
    """
    summaries = []
    for seed in seeds:
        home = Path(output) / str(seed)
        if not (home / "summary.json").exists() or not (home / "policy").exists():
            start(config, seed, home, options or {})
        summaries.append(json.loads((home / "summary.json").read_text(encoding="utf-8")))
    print("| seed | split | before | after | difference |\n|---|---|---|---|---|")
    for summary in summaries:
        for split, *cells in rows(summary):
            print(f"| {summary['seed']} | {split} | {' | '.join(cells)} |")
    for split, mean in means(summaries).items():
        print(f"| mean | {split} | | | {100 * mean:+.1f} |")


def start(config: str, seed: int, home: Path, options: Mapping[str, Any]) -> None:
    overrides = {"seed_everything": seed, "trainer.default_root_dir": home, **options}
    told = (f"--{name}={value}" for name, value in overrides.items())
    args, log = ["fit", "--config", config, *told], home / "log.txt"
    print(f"$ reasonrft {shlex.join(args)} >> {log} 2>&1", file=sys.stderr, flush=True)
    with ChildRuns() as children:
        child = children.run(args, log)
    if child.exit_code:
        sys.exit(f"{child.last_words} ({log})")


def rows(summary: Figures) -> Iterator[tuple[str, ...]]:
    """Each split with its figures in %, and their intervals."""
    for task, splits in summary["after"].items():
        for split in splits:
            stages = (summary[stage][task][split] for stage in ("before", "after", "difference"))
            yield split, *map(cell, stages)


def cell(figures: Figures) -> str:
    low, high = (100 * edge for edge in figures["interval"])
    return f"{100 * figures['strict']:.1f} [{low:.1f}, {high:.1f}]"


def means(summaries: Sequence[Figures]) -> dict[str, float]:
    """The mean difference of each split."""
    differences: dict[str, list[float]] = {}
    for summary in summaries:
        for splits in summary["difference"].values():
            for split, figures in splits.items():
                differences.setdefault(split, []).append(figures["strict"])
    return {split: sum(values) / len(values) for split, values in differences.items()}


if __name__ == "__main__":
    CLI(repeat, as_positional=False)
