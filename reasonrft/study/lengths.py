"""How long the runs of a study train: as their configs say on all problems, on shares as long."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from reasonrft.errors import BadInput
from reasonrft.study.cells import Cell, needed
from reasonrft.study.forked_calls import result_of
from reasonrft.study.recipes import Stage, command, stages
from reasonrft.study.run_settings import Settings, resolve
from reasonrft.study.study_config import Study, needs

Key = tuple[str, str]
"""Task, and paradigm or stage-1: runs of one key differ by seed, share and length alone."""
Lengths = Mapping[Key, Settings]


def lengths_of(study: Study) -> Lengths:
    """Settings of every key; all command lines are read, so that none fails in the last cell."""
    asked = {
        (cell.task, stage.paradigm): (command(study, cell, stage, study.home), stage.limit)
        for cell, stage in _trained(study)
    }
    settings = result_of(_resolve_all, asked)
    return dict(zip(asked, settings, strict=True))


def _trained(study: Study) -> Iterator[tuple[Cell, Stage]]:
    """A run of each key, on all problems."""
    for task in study.tasks:
        for paradigm in study.paradigms:
            cell = Cell(task, paradigm, study.seeds[0])
            yield from ((cell, stage) for stage in stages(study, cell) if stage.trains)


def _resolve_all(asked: Mapping[Key, tuple[list[str], int]]) -> list[Settings]:
    return [_resolve(*key, *run) for key, run in asked.items()]


def _resolve(task: str, paradigm: str, args: list[str], problems: int) -> Settings:
    try:
        return resolve(args, problems)
    except BadInput as error:
        raise BadInput(f"{task}, {paradigm}: {error}") from error


def length_of(cell: Cell, stage: Stage, lengths: Lengths, cells: Sequence[Cell]) -> Settings | None:
    """How long a stage of a cell trains, by what other cells have cost; None for a test.

    At matched compute, as many steps as cost what rft has cost.
    """
    if not stage.trains:
        return None
    settings = lengths[cell.task, stage.paradigm]
    if not needs(cell.paradigm):
        return settings
    target, own = needed(cell, cells)
    if not target.compute.get("tokens") or not own.compute.get("tokens"):
        raise BadInput(f"the runs of {target.title} and {own.title} say nothing of compute")
    steps = round(own.steps * target.compute["tokens"] / own.compute["tokens"])
    return replace(settings, steps=max(1, steps))


def count(study: Study, cell: Cell, stage: Stage, settings: Settings, lengths: Lengths) -> None:
    """Note a cell's steps and problems: of this stage, and of stage 1 if that came before."""
    cell.steps, cell.samples = settings.steps, settings.seen(stage.limit)
    before = stages(study, cell)[0]
    if before.name != stage.name:
        first = lengths[cell.task, before.paradigm]
        cell.steps += first.steps
        cell.samples += first.seen(before.limit)
