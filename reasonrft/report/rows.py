"""Rows and columns of the table: runs of the same name, and the splits of a task.

Q questions, S runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reasonrft.evaluation.image_modes import ImageMode
from reasonrft.evaluation.tables import heading
from reasonrft.report.estimates import (
    Estimate,
    Gap,
    Values,
    estimate,
    estimate_means,
    gap,
    gap_of_means,
)
from reasonrft.report.found_runs import Run
from reasonrft.tasks import TASKS

PARADIGMS = {
    "zero-shot": "Zero-shot",
    "ans-sft": "ANS-SFT",
    "cot-sft": "CoT-SFT",
    "rft-zero": "Reason-RFT-Zero",
    "rft": "Reason-RFT",
}
"""Names in studies, with what the paper calls them; in its order."""
COMPUTE = "-compute"
"""How the names of cells at matched compute end."""

Place = tuple[str, str]
"""A split and a question of it."""


@dataclass(frozen=True)
class Column:
    """Splits of a task whose questions are taken together."""

    task: str
    name: str
    splits: tuple[str, ...]

    @property
    def single(self) -> bool:
        return len(self.splits) == 1


@dataclass(frozen=True)
class Row:
    """Runs that differ in their seed or in their task."""

    name: str
    runs: Sequence[Run]

    @property
    def title(self) -> str:
        if self.name.endswith(COMPUTE) and (name := self.name.removesuffix(COMPUTE)) in PARADIGMS:
            return f"{PARADIGMS[name]} (matched compute)"
        return PARADIGMS.get(self.name, self.name)

    def of(self, column: Column, mode: ImageMode = "own") -> list[Run]:
        """The runs that answered a column."""
        return [run for run in self.runs if _covers(run.answers.get(mode, {}), column)]

    def runs_of(self, task: str) -> list[Run]:
        return [run for run in self.runs if run.task == task]

    def places(self, column: Column, mode: ImageMode = "own") -> set[Place]:
        """The questions of a column that all of its runs answered."""
        each = [
            {(split, question) for split in column.splits for question in run.answers[mode][split]}
            for run in self.of(column, mode)
        ]
        return set.intersection(*each) if each else set()

    def values(
        self, column: Column, places: Sequence[Place], measure: str, mode: ImageMode = "own"
    ) -> Values:  # (Q, S)
        runs = self.of(column, mode)
        rows = [
            [getattr(run.answers[mode][split][question], measure) for run in runs]
            for split, question in places
        ]
        return np.array(rows, float)

    def estimate(
        self,
        column: Column,
        measure: str,
        mode: ImageMode = "own",
        chosen: set[Place] | None = None,
    ) -> Estimate | None:
        """The accuracy on a column, or on chosen questions of it."""
        places = self.places(column, mode)
        if chosen is not None:
            places &= chosen
        if places:
            return estimate(self.values(column, sorted(places), measure, mode))
        return None if chosen or mode != "own" else self._from_tallies(column, measure)

    def _from_tallies(self, column: Column, measure: str) -> Estimate | None:
        runs = [run for run in self.runs if _covers(run.tallies, column)]
        if not runs or not column.single:
            return None
        tallies = [run.tallies[column.splits[0]] for run in runs]
        return estimate_means([tally[measure] for tally in tallies], tallies[0]["n"])

    def mean(self, column: Column, figure: str) -> float | None:
        """The mean of another figure over all answers, such as their tokens."""
        answers = [
            float(getattr(answer, figure))
            for run in self.of(column)
            for split in column.splits
            for answer in run.answers["own"][split].values()
        ]
        return float(np.mean(answers)) if answers else None


def _covers(splits: Mapping[str, object], column: Column) -> bool:
    return all(split in splits for split in column.splits)


def gap_between(ours: Row, theirs: Row, column: Column, measure: str) -> Gap | None:
    """The gap on the questions that both answered."""
    places = sorted(ours.places(column) & theirs.places(column))
    if places:
        return gap(ours.values(column, places, measure), theirs.values(column, places, measure))
    if not _has_tallies(ours, theirs):
        return None
    sides = [row.estimate(column, measure) for row in (ours, theirs)]
    found = [side for side in sides if side is not None and side.runs == 1]
    return gap_of_means(*found) if len(found) == 2 else None


def _has_tallies(*rows: Row) -> bool:
    """Whether the answers of a row were not kept, so that they cannot be paired."""
    return any(run.tallies for row in rows for run in row.runs)


def gap_to_mode(row: Row, column: Column, measure: str, mode: ImageMode) -> Gap | None:
    """By how much a row answers better with its questions' own images."""
    runs = [run for run in row.of(column, mode) if run in row.of(column)]
    both = Row(row.name, runs)
    places = sorted(both.places(column) & both.places(column, mode))
    if not places:
        return None
    own, altered = (both.values(column, places, measure, shown) for shown in ("own", mode))
    return gap(own, altered, same_runs=True)


def rows_of(runs: Sequence[Run]) -> list[Row]:
    """Paradigms in the paper's order, those at matched compute after them, others as given."""
    names = list(dict.fromkeys(run.name for run in runs))
    known = [*PARADIGMS, *(name + COMPUTE for name in PARADIGMS)]
    order = sorted(names, key=lambda name: known.index(name) if name in known else len(known))
    return [Row(name, [run for run in runs if run.name == name]) for name in order]


def columns_of(rows: Sequence[Row]) -> list[Column]:
    """Each split, in domain first; where several are out of domain, also all of these together."""
    splits = {split for row in rows for run in row.runs for split in run.splits}
    tasks = {split.partition("/")[0] for split in splits}
    columns = [column for task in sorted(tasks, key=_place) for column in _columns(task, splits)]
    return [column for column in columns if column.single or any(row.of(column) for row in rows)]


def _columns(task: str, splits: set[str]) -> Iterator[Column]:
    own = sorted(split for split in splits if split.partition("/")[0] == task)
    for split in sorted(own, key=lambda split: (not split.endswith("/id"), split)):
        yield Column(task, heading(split.partition("/")[2]), (split,))
    out = tuple(split for split in own if split.partition("/")[2].startswith("ood"))
    if len(out) > 1:
        yield Column(task, "all OOD", out)


def _place(task: str) -> tuple[int, str]:
    names = [known.name for known in TASKS]
    return (names.index(task) if task in names else len(names), task)
