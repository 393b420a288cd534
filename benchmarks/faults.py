"""Kills runs by SIGKILL, starts them again, and compares them with runs that nobody disturbed.

    python benchmarks/faults.py --kills 200

Each run is SFT or GRPO over several epochs, with a checkpoint at every step, every few, or every
epoch. It is killed up to five times in a row: at a random time, while a checkpoint is written,
around the end of an epoch, in a step, or while results are written; and each time the same command
goes on, with `--ckpt_path last`. Then weights and logged metrics must equal, bit for bit, those of
the run that was never killed. `--run 17` runs the 18th of these runs alone, with the same kills.

Lost steps are optimizer steps that a run took again although a checkpoint of them had been
written; steps since the last checkpoint are repeated, and are counted apart.
"""

import csv
import hashlib
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from fault_marks import MARKS, Marks, run_apart, save_policy
from jsonargparse import ArgumentParser

import reasonrft.cli.training_cli  # noqa: F401  for the processes that are forked from this one

LIMIT = 120
"""Seconds after which a run is taken to hang."""
MOST_KILLS = 5
EPOCHS = 3
BATCHES = 7
"""Of an epoch."""
_CONTEXT = multiprocessing.get_context("fork")
"""Processes are forked from this one, which has imported everything and computes nothing."""


@dataclass
class Case:
    """What is run: a stage and its options."""

    stage: str
    accumulated: int
    by_epochs: bool
    every: int
    """Steps between checkpoints; 0 is one at each epoch's end."""
    workers: int
    validated: bool

    @classmethod
    def draw(cls, rng: random.Random) -> "Case":
        return cls(
            rng.choice(["sft", "grpo"]),
            rng.choice([1, 1, 2, 3]),
            rng.random() < 0.5,
            rng.choice([1, 1, 2, 3, 5, 0]),
            rng.choice([0, 0, 1]),
            rng.random() < 0.3,
        )

    @property
    def learned(self) -> str:
        """What weights depend on: neither checkpoints, nor validation, nor who reads the data."""
        return f"{self.stage}, {self.accumulated}, {self.by_epochs}"

    @property
    def steps(self) -> int:
        """Optimizer steps of a whole run."""
        if self.stage == "grpo":
            return EPOCHS * BATCHES * self.updates
        return EPOCHS * -(-BATCHES // self.accumulated)

    @property
    def updates(self) -> int:
        """Of GRPO on one batch, where SFT accumulates."""
        return self.accumulated if self.stage == "grpo" else 1

    def options(self, folder: Path) -> Iterator[tuple[str, Any]]:
        yield "data.source.train", 2 * BATCHES
        yield "data.source.val", 2
        yield "data.source.test", 0
        yield "data.source.workers", 1
        yield "data.batch_size", 2
        yield "data.workers", self.workers
        yield "model.answer_tokens", 2
        yield "model.optimizer.init_args.lr", 0.003
        yield "trainer.accelerator", "cpu"
        yield "trainer.enable_progress_bar", "false"
        yield "trainer.log_every_n_steps", 1
        yield "trainer.max_epochs", EPOCHS if self.by_epochs else -1
        yield "trainer.max_steps", -1 if self.by_epochs else self.steps
        yield "trainer.limit_val_batches", int(self.validated)
        yield "trainer.check_val_every_n_epoch", "null"
        yield "trainer.val_check_interval", 3
        yield "trainer.callbacks", json.dumps([self._checkpoints(folder), {"class_path": MARKS}])
        logger = {"save_dir": str(folder), "name": "csv"}
        arguments = logger | {"flush_logs_every_n_steps": 1}
        yield "trainer.logger", json.dumps({"class_path": "CSVLogger", "init_args": arguments})
        if self.stage == "grpo":
            reward = {"class_path": "fault_marks.Capitals"}
            yield "model.rewards", json.dumps({"capitals": reward})
            yield "model.updates", self.updates
            yield "model.beta", 0.04
            yield "model.group_size", 4
            yield "model.sampling.max_tokens", 4
        else:
            yield "trainer.accumulate_grad_batches", self.accumulated

    def _checkpoints(self, folder: Path) -> dict[str, Any]:
        often = {"every_n_train_steps": self.every * self.updates} if self.every else {}
        arguments = {
            "dirpath": str(folder / "checkpoints"),
            "save_top_k": 0 if self.every else 1,
            "save_last": True,
            **often,
        }
        return {"class_path": "ModelCheckpoint", "init_args": arguments}


@dataclass
class Outcome:
    """What a run left behind."""

    weights: str
    metrics: dict[int, set[tuple[tuple[str, str], ...]]]
    """What was logged of each step, by each start that took it."""


@dataclass
class Tally:
    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    steps: int = 0
    lost_steps: int = 0
    repeated_steps: int = 0
    differing: list[dict[str, Any]] = field(default_factory=list)

    def report(self, seconds: float) -> dict[str, Any]:
        return {
            "kills": sum(self.kills.values()),
            "lost_steps": self.lost_steps,
            "differing": len(self.differing),
            "runs": self.runs,
            "repeated_steps": self.repeated_steps,
            "steps": self.steps,
            "kills_by_aim": dict(self.kills),
            "cases": self.differing,
            "seconds": round(seconds),
        }


class Bench:
    """Runs cases in a folder, and keeps the outcome of each undisturbed one."""

    def __init__(self, home: Path, policy: Path, seed: int) -> None:
        self.home, self.policy, self.seed = home, policy, seed
        self.undisturbed: dict[str, Outcome] = {}
        self.seconds: dict[str, float] = {}
        self.tally = Tally()

    def disturb(self, number: int, most: int = MOST_KILLS) -> None:
        """Run one case with kills, and compare it."""
        rng = random.Random(f"{self.seed}/{number}")
        case, folder = Case.draw(rng), self.home / str(number)
        wanted = self.whole(case)
        aims: list[str] = []
        attempts = 0
        goal = min(rng.randint(2, MOST_KILLS), most)
        while len(aims) < goal and attempts < 2 * MOST_KILLS:
            attempts += 1
            aim, marks = rng.choice(AIMS), Marks(folder / f"marks-{attempts}")
            delay = rng.random()
            plan = f"{aim} {rng.randrange(case.steps)} {delay:.3f} {case.steps}"
            code = self.run(case, folder, marks, plan, delay * self.seconds[case.learned])
            if code == 0:
                break  # before it was hit
            if code != -signal.SIGKILL:
                self.differ(number, case, [*aims, plan], f"exit code {code}", folder)
                return
            aims.append(plan)
            self.tally.kills[aim] += 1
        marks = Marks(folder / "marks-last")
        code = self.run(case, folder, marks)
        self.tally.runs += 1
        self.count(case, [*(Marks(folder / f"marks-{n + 1}") for n in range(attempts)), marks])
        got = outcome(folder) if code == 0 else None
        difference = f"exit code {code}" if got is None else differences(got, wanted)
        if difference:
            self.differ(number, case, aims, difference, folder)

    def whole(self, case: Case) -> Outcome:
        key = case.learned
        if key not in self.undisturbed:
            folder = self.home / f"whole-{len(self.undisturbed)}"
            if not self.undisturbed:  # draws the problems, which would count as the run's time
                self.run(case, folder / "first", Marks(folder / "marks"))
            started = time.monotonic()
            code = self.run(case, folder, Marks(folder / "marks"))
            assert code == 0, (folder / "said.txt").read_text()
            self.seconds[key] = time.monotonic() - started
            self.undisturbed[key] = outcome(folder)
        return self.undisturbed[key]

    def run(
        self, case: Case, folder: Path, marks: Marks, plan: str = "", delay: float | None = None
    ) -> int:
        """Exit code of the same command as ever, in a process that may be killed."""
        folder.mkdir(parents=True, exist_ok=True)
        options = dict(case.options(folder)) | {"policy": self.policy}
        options |= {"data.source.folder": self.home / "data", "trainer.default_root_dir": folder}
        args = ["fit", "--config", f"{case.stage}.yaml", "--ckpt_path", "last"]
        args += [f"--{name}={value}" for name, value in options.items()]
        environment = os.environ | {"FAULTS_MARKS": str(marks.path), "FAULTS_PLAN": plan}
        files = (folder / "printed.txt", folder / "said.txt")
        process = _CONTEXT.Process(target=run_apart, args=(args, Path.cwd(), files, environment))
        process.start()
        if plan.startswith("time"):
            _wait(lambda: marks.path.exists() or process.exitcode is not None)
            process.join(delay)
            process.kill()
        process.join(LIMIT)
        if process.exitcode is None:
            process.kill()
            process.join()
            return 124
        return process.exitcode

    def count(self, case: Case, attempts: list[Marks]) -> None:
        """Steps that each start took again."""
        for before, after in pairwise(attempts):
            done, again = before.done(), after.begun()
            if done is None or again is None:
                continue
            self.tally.repeated_steps += max(0, done - again)
            self.tally.steps += done - (before.begun() or 0)
            if (lost := before.saved() - again) > 0:
                self.tally.lost_steps += lost
                print(f"lost {lost} steps: {case}", file=sys.stderr, flush=True)

    def differ(
        self, number: int, case: Case, aims: list[str], difference: str, folder: Path
    ) -> None:
        told = {"run": number, "case": str(case), "kills": aims, "difference": difference}
        self.tally.differing.append(told)
        last = (folder / "said.txt").read_text(errors="replace").strip().splitlines()[-1:]
        print(f"run {number} differs: {told} {last}", file=sys.stderr, flush=True)


AIMS = ["time", "writing", "writing", "epoch", "step", "results"]
"""What a kill hits: a random time, a checkpoint, the end of an epoch, a step, or the results."""


def outcome(folder: Path) -> Outcome:
    weights = folder / "policy" / "model.safetensors"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest() if weights.exists() else "none"
    metrics: dict[int, set[tuple[tuple[str, str], ...]]] = {}
    for file in folder.glob("csv/*/metrics.csv"):
        # The last line may have been cut.
        whole = file.read_text().rpartition("\n")[0]
        for row in csv.DictReader(whole.splitlines()):
            if row.get("train/loss"):
                metrics.setdefault(int(row["step"]), set()).add(tuple(of_training(row)))
    return Outcome(digest, metrics)


def of_training(row: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in sorted(row):
        # Logged at the start of each process.
        if name.startswith("train/") and name != "train/image_gap" and row[name]:
            yield name, row[name]


def differences(got: Outcome, wanted: Outcome) -> str:
    """What is not the same, or nothing; a log may lack what was not yet written at a kill."""
    steps = [step for step in sorted(got.metrics) if got.metrics[step] != wanted.metrics.get(step)]
    told = [f"metrics of steps {steps}"] if steps else []
    if got.weights != wanted.weights:
        told.append(f"weights {got.weights[:8]} and not {wanted.weights[:8]}")
    return ", ".join(told)


def _wait(what: Any) -> None:
    end = time.monotonic() + LIMIT
    while not what() and time.monotonic() < end:
        time.sleep(0.005)


def parser() -> ArgumentParser:
    made = ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    made.add_argument("--kills", type=int, default=40, help="how often runs are killed in all")
    made.add_argument("--seed", type=int, default=0, help="another seed is other runs and kills")
    made.add_argument("--run", type=int, help="this run alone")
    made.add_argument("--json", action="store_true", help="print nothing but one JSON object")
    return made


def main() -> None:
    chosen = parser().parse_args()
    torch.set_num_threads(1)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-") as home:
        policy = Path(home) / "policy"
        saving = _CONTEXT.Process(target=save_policy, args=(policy,))
        saving.start()
        saving.join()
        bench = Bench(Path(home), policy, chosen.seed)
        number = 0 if chosen.run is None else chosen.run
        while sum(bench.tally.kills.values()) < chosen.kills:
            bench.disturb(number, chosen.kills - sum(bench.tally.kills.values()))
            number += 1
            if not chosen.json:
                kills = sum(bench.tally.kills.values())
                print(f"{bench.tally.runs} runs, {kills} kills", flush=True)
            if chosen.run is not None:
                break
    print(json.dumps(bench.tally.report(time.monotonic() - started)))


if __name__ == "__main__":
    main()
