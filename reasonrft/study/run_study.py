"""The cells of a study, side by side, until all are done."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reasonrft.cli.child_runs import ChildRun, ChildRuns
from reasonrft.cli.interrupts import Interrupted, exit_code_of
from reasonrft.durations import spoken
from reasonrft.errors import BadInput, printable
from reasonrft.study.cell_results import accuracies, drop_checkpoints, measure
from reasonrft.study.cells import Cell, machine, needed, write_study
from reasonrft.study.forked_calls import result_of
from reasonrft.study.lengths import Lengths, count, length_of
from reasonrft.study.recipes import Stage, command, stages
from reasonrft.study.study_config import Study
from reasonrft.study.time_left import seconds_left


@dataclass
class Running:
    """A cell under way: its stages to come, and the one that runs."""

    cell: Cell
    left: list[Stage]
    stage: Stage | None = None
    child: ChildRun | None = None

    @property
    def spent(self) -> float:
        return self.child.seconds if self.child else 0.0


class StudyRun:
    """Runs what is not done yet; what has failed is told, and the others go on."""

    def __init__(
        self,
        study: Study,
        config: Mapping[str, Any],
        cells: Sequence[Cell],
        lengths: Lengths,
        jobs: int,
    ) -> None:
        """
        Args:
            study: What is run.
            config: The same as it was given.
            cells: All cells, with what is known of them.
            lengths: How long runs train on all problems.
            jobs: Cells that run side by side.
        """
        self.study, self.config, self.cells = study, config, cells
        self.lengths, self.jobs = lengths, jobs
        self.home = study.home
        self.running: list[Running] = []
        self.machine = result_of(machine)

    def run(self) -> int:
        """The exit code."""
        self._write()
        try:
            with ChildRuns(self.jobs) as children:
                while self._fill(children):
                    ended = children.wait()
                    for run in [run for run in self.running if run.child in ended]:
                        self._stage_ended(children, run)
        except Interrupted as error:
            self._pause()
            return exit_code_of(error.number)
        return int(any(cell.state != "done" for cell in self.cells))

    def _fill(self, children: ChildRuns) -> bool:
        """Begin what can begin; whether any runs."""
        while len(self.running) < self.jobs and (cell := self._next()) is not None:
            self._begin(children, cell)
        return bool(self.running)

    def _next(self) -> Cell | None:
        """The first cell that waits for no other; one whose figures are missing fails."""
        for cell in self.cells:
            if cell.state != "waiting":
                continue
            before = needed(cell, self.cells)
            if failed := next((other for other in before if other.state == "failed"), None):
                self._fail(cell, f"it is trained for as long as {failed.title}, which has failed")
            elif all(other.state == "done" for other in before):
                return cell
        return None

    def _begin(self, children: ChildRuns, cell: Cell) -> None:
        run = Running(cell, stages(self.study, cell))
        run.left = [stage for stage in run.left if stage.name not in cell.seconds]
        cell.state = "running"
        self.running.append(run)
        self._say(cell, f"begins{self._time_left()}")
        if run.left:
            self._next_stage(children, run)
        else:  # its last stage ended as the study did
            self._done(run)

    def _next_stage(self, children: ChildRuns, run: Running) -> None:
        cell, run.stage = run.cell, run.left.pop(0)
        try:
            settings = length_of(cell, run.stage, self.lengths, self.cells)
            args = command(self.study, cell, run.stage, self.home, settings)
        except BadInput as error:
            self.running.remove(run)
            self._fail(cell, str(error))
            return
        if settings is not None:
            count(self.study, cell, run.stage, settings, self.lengths)
        cell.commands = [*(c for c in cell.commands if c != args), args]
        cell.write(self.home)
        run.child = children.start(args, self._log(cell))

    def _stage_ended(self, children: ChildRuns, run: Running) -> None:
        assert run.child is not None
        if run.child.exit_code:
            self.running.remove(run)
            self._fail(run.cell, printable(run.child.last_words))
            return
        self._keep(run)
        if run.left:
            self._next_stage(children, run)
        else:
            self._done(run)

    def _keep(self, run: Running) -> None:
        """What a stage that has ended well has taken, and what it says of the cell."""
        assert run.stage is not None
        run.cell.seconds[run.stage.name] = round(run.cell.unfinished + run.spent, 2)
        run.cell.unfinished = 0.0
        if run.stage.trains:
            measure(run.cell, run.stage, self.home / run.cell.folder)

    def _done(self, run: Running) -> None:
        cell = run.cell
        self.running.remove(run)
        cell.state = "done"
        cell.write(self.home)
        self._write()
        drop_checkpoints(self.home / cell.folder)
        took = spoken(sum(cell.seconds.values()))
        self._say(cell, f"{accuracies(self.home / cell.folder)}, {took}{self._time_left()}")

    def _fail(self, cell: Cell, why: str) -> None:
        cell.state = "failed"
        cell.write(self.home)
        self._write()
        log = self._log(cell)
        where = f"; its log is {log}" if log.exists() else ""
        self._say(cell, f"failed: {why}{where}")

    def _log(self, cell: Cell) -> Path:
        return self.home / cell.folder / "log.txt"

    def _time_left(self) -> str:
        spent = {run.cell.folder: run.spent for run in self.running}
        left = seconds_left(self.cells, spent, self.jobs)
        if left is None:
            return "; how much time is left is not known yet"
        return f"; about {spoken(left)} left" if left else ""

    def _say(self, cell: Cell, what: str) -> None:
        number = self.cells.index(cell) + 1
        print(f"cell {number} of {len(self.cells)}, {cell.title}: {what}", flush=True)

    def _write(self) -> None:
        """The study's file, whole or as it was."""
        write_study(self.home, self.study.name, self.config, self.machine, self.cells)

    def _pause(self) -> None:
        """All runs have been ended: note how far they came."""
        for run in self.running:
            run.cell.state = "waiting"
            if run.child and run.child.exit_code == 0:  # just before it was told
                self._keep(run)
            else:
                run.cell.unfinished += run.spent
            run.cell.write(self.home)
        self._write()
        print("the same command goes on with it", file=sys.stderr, flush=True)
