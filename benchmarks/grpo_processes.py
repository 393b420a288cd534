"""Processes of grpo_step.py, each of which trains on one side: steps by turns, or one by one."""

import multiprocessing
import sys
from collections.abc import Sequence

import psutil
from grpo_sides import run
from grpo_turns import Job, Step

LOOK = 0.02
"""Seconds between two looks at a process's memory."""


class Side:
    """A process that trains on one side, a step at a time."""

    def __init__(self, name: str, job: Job) -> None:
        context = multiprocessing.get_context("spawn")
        self.name, self.waited = name, job.waited
        self.line, other = context.Pipe()
        self.process = context.Process(target=run, args=(name, job, other), daemon=True)
        self.process.start()
        other.close()
        self.taken: list[Step] = []
        self.resident: list[int] = []

    def step(self) -> None:
        """Let it take one, and watch how much memory it holds."""
        try:
            self.line.recv()
            self.look()
            self.line.send("go")
            while not self.line.poll(LOOK):
                self.look()
            self.taken.append(self.line.recv())
        except (EOFError, ConnectionError, psutil.Error):
            raise SystemExit(f"{self.name} ended early; why stands above") from None
        self.tell(self.taken[-1])

    def tell(self, step: Step) -> None:
        """Beside the table, which is only printed if all goes well."""
        told = ", ".join(f"{name} {value:.2f}" for name, value in step.phases.items())
        memory = f", {step.allocated / 2**30:.1f} GiB" if step.allocated else ""
        line = f"{self.name}: step {len(self.taken)}, {step.seconds:.2f} s ({told}){memory}"
        print(line, file=sys.stderr, flush=True)

    def look(self) -> None:
        self.resident.append(psutil.Process(self.process.pid).memory_info().rss)

    def counted(self, first: int) -> list[Step]:
        return self.taken[first : len(self.taken) - self.waited]

    def phased(self, first: int) -> list[Step]:
        """The steps that tell of phases."""
        return self.taken[-self.waited :] if self.waited else self.counted(first)


def by_turns(names: Sequence[str], job: Job) -> list[Side]:
    """All sides when they are done, which took steps by turns."""
    sides = [Side(name, job) for name in names]
    for _ in range(job.steps):
        for side in sides:
            side.step()
            check_equal(sides[0].taken[-1], side.taken[-1])
    for side in sides:
        side.process.join()
    return sides


def one_by_one(names: Sequence[str], job: Job) -> list[Side]:
    """All sides when they are done: the memory of each is free again before the next begins."""
    sides: list[Side] = []
    for name in names:
        sides.append(Side(name, job))
        for number in range(job.steps):
            sides[-1].step()
            check_equal(sides[0].taken[number], sides[-1].taken[number])
        sides[-1].process.join()
    return sides


def check_equal(ours: Step, theirs: Step) -> None:
    """Both must have read and written equally many tokens on the same problems."""
    first, second = (
        (sorted(one.problems), one.prompt_tokens, one.completion_tokens) for one in (ours, theirs)
    )
    if first != second:
        raise SystemExit(f"the sides did not do the same: ours {first}, TRL {second}")
