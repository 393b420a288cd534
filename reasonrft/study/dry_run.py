"""What a study would run, with its time and memory, before anything is written."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reasonrft.cli.config_files import shipped_configs
from reasonrft.errors import BadInput
from reasonrft.study.cells import Cell, cells_of
from reasonrft.study.forked_command import result_of
from reasonrft.study.lengths import Key, Lengths
from reasonrft.study.recipes import TEST_OPTIONS, Stage, command, stages
from reasonrft.study.run_settings import Settings
from reasonrft.study.study_config import MATCHED, STAGE_1, Expected, Study
from reasonrft.study.time_left import spoken

GIB = 2**30


@dataclass(frozen=True)
class Run:
    """A command that would be run, and what it is expected to take."""

    cell: Cell
    stage: Stage
    args: Sequence[str]
    settings: Settings | None
    tokens: float
    """Of forward passes."""
    memory: str


def show_runs(study: Study, lengths: Lengths) -> str:
    """All runs in their order: commands, problems, steps, tokens, time and memory.

    Args:
        study: What would be run.
        lengths: How long the runs of each key train on all problems.
    """
    memory = memory_of(study, lengths)
    cells = cells_of(study)
    lines, total, count = [f"study {study.name}, in {study.home}: {len(cells)} cells"], 0.0, 0
    for number, cell in enumerate(cells, 1):
        lines.append(f"\ncell {number} of {len(cells)}, {cell.title}")
        for run in runs_of(study, cell, lengths, memory):
            lines += [f"  {_line(run, study.expected)}", f"    reasonrft {shlex.join(run.args)}"]
            total, count = total + run.tokens, count + 1
    return "\n".join([*lines, "", *_summary(study, count, total)]) + "\n"


def runs_of(study: Study, cell: Cell, lengths: Lengths, memory: Mapping[Key, str]) -> Iterator[Run]:
    for stage in stages(study, cell):
        key = (cell.task, stage.paradigm)
        settings = None
        if stage.trains:
            settings = matched(study, cell, lengths) or lengths[key]
        args = command(study, cell, stage, study.home, settings)
        tokens = tokens_of(settings, study) if settings else tokens_of_test(study, stage)
        yield Run(cell, stage, args, settings, tokens, memory.get(key, ""))


def matched(study: Study, cell: Cell, lengths: Lengths) -> Settings | None:
    """Settings of a cell that is trained until its compute is that of rft; None for others."""
    if not cell.paradigm.endswith(MATCHED):
        return None
    own = lengths[cell.task, cell.paradigm.removesuffix(MATCHED)]
    target = sum(training_tokens(lengths[cell.task, p], study.expected) for p in (STAGE_1, "rft"))
    steps = round(own.steps * target / training_tokens(own, study.expected))
    return replace(own, steps=max(1, steps))


def training_tokens(settings: Settings, expected: Expected) -> float:
    """Tokens of forward passes of a training, without its validations."""
    examples = settings.batches * settings.batch_size
    if not settings.group_size:
        learned = expected.answer if settings.answers else expected.chain
        return 3 * examples * (expected.prompt + learned)
    group = expected.prompt + settings.group_size * expected.completion
    passes = 1 + 3 * settings.updates + (settings.beta > 0)
    return passes * examples * group


def tokens_of(settings: Settings, study: Study) -> float:
    expected = study.expected
    answered = expected.answer if settings.answers else expected.completion
    validations = study.validations * expected.val_questions * (expected.prompt + answered)
    return training_tokens(settings, expected) + validations


def tokens_of_test(study: Study, stage: Stage) -> float:
    expected = study.expected
    answered = expected.answer if stage.paradigm.startswith("ans-") else expected.completion
    return (1 + len(TEST_OPTIONS)) * expected.questions * (expected.prompt + answered)


def seconds_of(tokens: float, expected: Expected) -> float:
    """A forward pass takes two operations for each weight and token."""
    return 2 * expected.parameters * tokens / (expected.flops * expected.utilisation)


def memory_of(study: Study, lengths: Lengths) -> dict[Key, str]:
    """What `plan` says of the training of each key, or why it says nothing."""
    try:
        result_of(outlined, study.policy)
    except BadInput as error:
        return dict.fromkeys(lengths, f"memory not predicted: {error}")
    bases = {key: (key[0], key[1].removesuffix(MATCHED)) for key in lengths}
    planned = {base: _memory(study, *base) for base in dict.fromkeys(bases.values())}
    return {key: planned[base] for key, base in bases.items()}


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
    try:
        return result_of(planned_memory, given[1:], study.expected.memory)
    except BadInput as error:
        return f"memory not predicted: {error}"


def planned_memory(options: Sequence[str], memory: str | None) -> str:
    from reasonrft.cli.plan_command import ROOM, parse_size, planned

    _, plan, device = planned(options, parse_size(memory) if memory else None, False)
    fits = "fits" if plan.peak <= ROOM * device.memory else "does not fit"
    return (
        f"{plan.peak / GIB:.1f} GiB in {plan.peak_phase} ({plan.prompts}), which {fits} "
        f"{device.memory / GIB:.0f} GiB"
    )


def _line(run: Run, expected: Expected) -> str:
    parts = [f"{run.stage.name}: "]
    if run.settings is not None:
        parts[0] += f"{run.stage.limit:,} problems, {run.settings.steps:,} steps"
    else:
        parts[0] += f"{(1 + len(TEST_OPTIONS)) * expected.questions:,} answers"
    parts.append(f"{run.tokens / 1e6:,.2f} M tokens")
    parts.append(f"about {spoken(seconds_of(run.tokens, expected))}")
    if run.settings is not None and run.memory:
        parts.append(run.memory)
    return ", ".join(parts)


def _summary(study: Study, runs: int, tokens: float) -> list[str]:
    expected = study.expected
    return [
        f"together: {runs} runs, {tokens / 1e6:,.0f} M tokens of forward passes, about "
        f"{spoken(seconds_of(tokens, expected))} one after the other",
        f"reckoned with: prompts of {expected.prompt} tokens, chains of {expected.chain}, answers "
        f"of {expected.answer}, completions of {expected.completion}; 2 x {expected.parameters:.3g}"
        f" operations a token at {expected.utilisation:.0%} of {expected.flops:.3g} a second "
        "(key expected of the config); what is learned from counts three times",
        f"configs are those of {shipped_configs()}; nothing was written",
    ]
