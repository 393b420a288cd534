"""What a study would run, with its time and memory, before anything is written."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reasonrft.durations import spoken
from reasonrft.errors import BadInput
from reasonrft.modules.step_metrics import TRAINED
from reasonrft.study.cells import Cell, cells_of
from reasonrft.study.forked_calls import result_of
from reasonrft.study.lengths import Key, Lengths
from reasonrft.study.recipes import TEST_OPTIONS, Stage, command, stages
from reasonrft.study.run_settings import Settings
from reasonrft.study.study_config import MATCHED, STAGE_1, Expected, Study

GIB = 2**30


@dataclass(frozen=True)
class Work:
    """Tokens of forward passes: what is learned from counts three times."""

    read: float = 0.0
    decoded: float = 0.0

    @property
    def tokens(self) -> float:
        return self.read + self.decoded

    def __add__(self, other: "Work") -> "Work":
        return Work(self.read + other.read, self.decoded + other.decoded)

    def times(self, factor: float) -> "Work":
        return Work(factor * self.read, factor * self.decoded)

    def seconds(self, expected: Expected) -> float:
        """A forward pass takes two operations for each weight and token."""
        passes = self.read / expected.utilisation + self.decoded / expected.decoding
        return 2 * expected.parameters * passes / expected.flops


@dataclass(frozen=True)
class Run:
    """A command that would be run, and what it is expected to take."""

    cell: Cell
    stage: Stage
    args: Sequence[str]
    settings: Settings | None
    work: Work
    memory: str


def show_runs(study: Study, lengths: Lengths) -> str:
    """All runs in their order: commands, problems, steps, tokens, time and memory.

    Args:
        study: What would be run.
        lengths: How long the runs of each key train on all problems.
    """
    memory, reasons = memory_of(study, lengths)
    cells = cells_of(study)
    lines, total, count = [f"study {study.name}, in {study.home}: {len(cells)} cells"], Work(), 0
    for number, cell in enumerate(cells, 1):
        lines.append(f"\ncell {number} of {len(cells)}, {cell.title}")
        for run in runs_of(study, cell, lengths, memory):
            lines += [f"  {_line(run, study.expected)}", f"    reasonrft {shlex.join(run.args)}"]
            total, count = total + run.work, count + 1
    return "\n".join([*lines, "", *reasons, *_summary(study, count, total)]) + "\n"


def runs_of(study: Study, cell: Cell, lengths: Lengths, memory: Mapping[Key, str]) -> Iterator[Run]:
    for stage in stages(study, cell):
        key = (cell.task, stage.paradigm)
        settings = None
        if stage.trains:
            settings = matched(study, cell, lengths) or lengths[key]
        args = command(study, cell, stage, study.home, settings)
        yield Run(cell, stage, args, settings, work_of(study, stage, settings), memory.get(key, ""))


def matched(study: Study, cell: Cell, lengths: Lengths) -> Settings | None:
    """Settings of a cell that is trained until its compute is that of rft; None for others."""
    if not cell.paradigm.endswith(MATCHED):
        return None
    own = lengths[cell.task, cell.paradigm.removesuffix(MATCHED)]
    target = sum(training(lengths[cell.task, p], study.expected).tokens for p in (STAGE_1, "rft"))
    steps = round(own.steps * target / training(own, study.expected).tokens)
    return replace(own, steps=max(1, steps))


def training(settings: Settings, expected: Expected) -> Work:
    """The work of a training without its validations."""
    examples = settings.batches * settings.batch_size
    if not settings.group_size:
        learned = expected.answer if settings.answers else expected.chain
        return Work(TRAINED * examples * (expected.prompt + learned))
    completions = settings.group_size * expected.completion
    scored = (TRAINED * settings.updates + (settings.beta > 0)) * (expected.prompt + completions)
    return Work(examples * (expected.prompt + scored), examples * completions)


def work_of(study: Study, stage: Stage, settings: Settings | None) -> Work:
    """The work of a stage: of its training with validations, or of its test."""
    expected = study.expected
    length = expected.answer if stage.paradigm.startswith("ans-") else expected.completion
    answered = Work(expected.prompt, length)
    if settings is None:
        return answered.times((1 + len(TEST_OPTIONS)) * expected.questions)
    validations = 1 if stage.name == STAGE_1 else study.validations
    return training(settings, expected) + answered.times(validations * expected.val_questions)


def memory_of(study: Study, lengths: Lengths) -> tuple[dict[Key, str], list[str]]:
    """What `plan` says of the training of each key; and why it says nothing of some."""
    try:
        result_of(outlined, study.policy)
    except BadInput as error:
        return {}, [f"memory was not predicted: {error}"]
    bases = {key: (key[0], key[1].removesuffix(MATCHED)) for key in lengths}
    planned, reasons = {}, []
    for base in dict.fromkeys(bases.values()):
        try:
            planned[base] = _memory(study, *base)
        except BadInput as error:
            reasons.append(f"memory of {', '.join(base)} was not predicted: {error}")
    return {key: planned[base] for key, base in bases.items() if base in planned}, reasons


def outlined(policy: str) -> None:
    """Refuse a policy whose config.json cannot be had."""
    from transformers import AutoConfig

    from reasonrft.policy.hub_paths import opening, resolve, without_weights

    with without_weights(), opening(policy):
        AutoConfig.from_pretrained(resolve(policy))


def _memory(study: Study, task: str, paradigm: str) -> str:
    cell = Cell(task, "rft" if paradigm == STAGE_1 else paradigm, study.seeds[0])
    stage = next(stage for stage in stages(study, cell) if stage.paradigm == paradigm)
    args = command(study, cell, stage, study.home)
    # What stage 1 will leave has the shape of what it starts from.
    given = [f"--policy={study.policy}" if a.startswith("--policy=") else a for a in args]
    return result_of(planned_memory, given[1:], study.expected.memory)


def planned_memory(options: Sequence[str], memory: str | None) -> str:
    from reasonrft.cli.plan_command import ROOM, parse_size, planned

    _, plan, device = planned(options, parse_size(memory) if memory else None, False)
    fits = "fits" if plan.peak <= ROOM * device.memory else "does not fit"
    return (
        f"{plan.peak / GIB:.1f} GiB in {plan.peak_phase} ({plan.prompts}), which {fits} "
        f"{device.memory / GIB:.0f} GiB"
    )


def _line(run: Run, expected: Expected) -> str:
    if run.settings is not None:
        parts = [f"{run.stage.limit:,} problems", f"{run.settings.steps:,} steps"]
    else:
        parts = [f"{(1 + len(TEST_OPTIONS)) * expected.questions:,} answers"]
    parts.append(f"{run.work.tokens / 1e6:,.2f} M tokens")
    parts.append(f"about {spoken(run.work.seconds(expected))}")
    if run.settings is not None:
        parts.append(run.memory or "memory not predicted")
    return f"{run.stage.name}: {', '.join(parts)}"


def _summary(study: Study, runs: int, work: Work) -> list[str]:
    expected = study.expected
    return [
        f"together: {runs} runs, {work.tokens / 1e6:,.0f} M tokens of forward passes, about "
        f"{spoken(work.seconds(expected))} one after the other",
        f"reckoned with (key expected): prompts of {expected.prompt} tokens, chains of "
        f"{expected.chain}, answers of {expected.answer}, completions of {expected.completion}; "
        f"2 x {expected.parameters:.3g} operations a token, what is learned from three times, at "
        f"{expected.utilisation:.0%} of {expected.flops:.3g} a second, in decoding at "
        f"{expected.decoding:.0%}",
        "nothing was written",
    ]
