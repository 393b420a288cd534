"""Draws many problems of every world and split, and checks each; prints what came out.

    python -m tests.worlds.check_worlds --size 10000 > tables.md

Each problem's chain must entail its answer, the answer must follow again from the scene, the states
or the coordinates, and no problem of one split may be in another. Exits 1 if anything fails.
"""

import argparse
import hashlib
import importlib
import json
import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm

from reasonrft.problems import Problem
from reasonrft.trance_calls import read_calls
from reasonrft.worlds import make_world

# Scenes do not depend on the size of their images, so that small ones will do.
WORLD_ARGS: dict[str, dict[str, int]] = {
    "counting": {"width": 48, "height": 32},
    "structure": {},
    "transformation": {"width": 48, "height": 36},
}
CHUNK = 50


@dataclass
class Tally:
    """Counts of some problems of one split."""

    task: str
    split: str
    problems: int = 0
    faults: list[str] = field(default_factory=list)
    families: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    marks: set[bytes] = field(default_factory=set)

    def add(self, other: "Tally") -> None:
        self.problems += other.problems
        self.faults += other.faults
        self.families += other.families
        self.answers += other.answers
        self.marks |= other.marks


def check(chunk: tuple[str, str, range, dict[str, Any]]) -> Tally:
    """Draw and check some problems."""
    task, split, indices, world_args = chunk
    world = make_world(task, **world_args)
    verify = importlib.import_module(f"tests.worlds.checkers.{task}").verify
    tally = Tally(task, split)
    for index in indices:
        problem = world.problem(split, index)
        fault = verify(problem)
        tally.problems += 1
        tally.faults += [f"{problem.id}: {fault}"] if fault else []
        tally.families[family(problem)] += 1
        tally.answers.update(kinds_of_answer(problem))
        tally.marks.add(mark(problem))
    return tally


def family(problem: Problem) -> str:
    number = problem.meta.get("family")
    template = str(problem.meta["template"])
    return template if number is None else f"{template}-{number}"


def kinds_of_answer(problem: Problem) -> list[str]:
    """What a histogram of answers counts: numbers, letters, or steps and their functions."""
    if problem.task == "transformation":
        calls = read_calls(problem.answer) or []
        return [f"{len(calls)} steps", *(call.function for call in calls)]
    if problem.task == "structure":
        return [problem.answer if problem.answer in ("A", "B", "C", "D") else "number"]
    return [problem.answer]


def mark(problem: Problem) -> bytes:
    """Stands for question and scene, from whichever side it is seen."""
    scene = {key: value for key, value in problem.meta.items() if key not in ("split", "view")}
    content = json.dumps([problem.question, scene], sort_keys=True)
    return hashlib.sha256(content.encode()).digest()[:8]


def collisions(tallies: dict[str, Tally]) -> Iterator[str]:
    """Splits that share a problem with training or validation."""
    for split in ("train", "val"):
        for other, tally in tallies.items():
            if other != split and (shared := tallies[split].marks & tally.marks):
                yield f"{split} and {other} share {len(shared)} problems"


def table(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items(), key=_natural))


def _natural(item: tuple[str, int]) -> tuple[int, str]:
    name = item[0]
    return (int(name) if name.isdigit() else 10**9, name)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--task", choices=list(WORLD_ARGS), action="append")
    parser.add_argument("--preset", default=None)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    failed = False
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for task in options.task or WORLD_ARGS:
            world_args = {**WORLD_ARGS[task], "preset": options.preset}
            tallies = {split: Tally(task, split) for split in make_world(task).splits}
            chunks = [
                (task, split, range(start, min(start + CHUNK, options.size)), world_args)
                for split in tallies
                for start in range(0, options.size, CHUNK)
            ]
            bar = tqdm(total=options.size * len(tallies), unit=" problems", desc=task)
            for tally in pool.imap_unordered(check, chunks):
                tallies[tally.split].add(tally)
                bar.update(tally.problems)
            bar.close()
            faults = [fault for tally in tallies.values() for fault in tally.faults]
            faults += collisions(tallies)
            failed |= bool(faults)
            report(task, tallies, faults)
    raise SystemExit(failed)


def report(task: str, tallies: dict[str, Tally], faults: list[str]) -> None:
    print(f"### {task}\n")
    for fault in faults[:20]:
        print(f"- FAULT {fault}")
    print("| split | problems | different | faults | families | answers |")
    print("|---|---|---|---|---|---|")
    for split, tally in tallies.items():
        print(
            f"| {split} | {tally.problems:,} | {len(tally.marks):,} | {len(tally.faults)} "
            f"| {table(tally.families)} | {table(tally.answers)} |"
        )
    shared = "none" if not list(collisions(tallies)) else "; ".join(collisions(tallies))
    print(f"\nShared with train or val: {shared}.\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
