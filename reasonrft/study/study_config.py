"""What a study runs, as its YAML file says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from reasonrft.errors import BadInput, check_at_least
from reasonrft.tasks import TASKS

Options = dict[str, Any]
"""Options of the command line, by their dotted keys."""

PARADIGMS = (
    "zero-shot",
    "ans-sft",
    "cot-sft",
    "rft-zero",
    "rft",
    "ans-sft-compute",
    "cot-sft-compute",
)
"""The table's rows. The last two are trained until their compute equals that of rft."""
STAGE_1 = "stage-1"
MATCHED = "-compute"


@dataclass(frozen=True)
class Expected:
    """What --dry-run reckons with, where nothing has been measured yet."""

    prompt: int = 120
    """Tokens of a prompt, its images included."""
    chain: int = 60
    """Tokens of a chain of thought with its answer."""
    answer: int = 8
    """Tokens of an answer alone."""
    completion: int = 80
    """Tokens of a sampled completion."""
    questions: int = 900
    """Questions of a test, of all splits together."""
    val_questions: int = 200
    """Questions of a validation."""
    parameters: float = 3.8e6
    """Weights of the policy."""
    flops: float = 5e10
    """Operations that the device does in a second, at the most."""
    utilisation: float = 1.0
    """Share of them that is reached where tokens are read, and learned from."""
    decoding: float = 1.0
    """Share of them that is reached where tokens are decoded, one after the other."""
    memory: str | None = None
    """Memory of each GPU, such as 80GiB; that of this machine if not given."""


@dataclass(frozen=True)
class Study:
    """The paradigms on tasks, with seeds, on the same problems."""

    name: str
    """Name of the study; it writes to outputs/study/NAME."""
    problems: int | dict[str, int]
    """Problems that all paradigms learn from; a number, or one for each task."""
    tasks: dict[str, Options]
    """Tasks, with options of their runs; options under a paradigm's name are for that alone."""
    paradigms: dict[str, Options]
    """Rows of the table, with options of their runs; those under stage-1 are for rft's stage 1."""
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    """Seeds of order, choice and completions; the problems are the same for all."""
    chains: float = 0.2
    """Share of the problems whose chains of thought rft's stage 1 learns from."""
    shares: list[str] = field(default_factory=list)
    """Shares of the problems for data efficiency, such as 1/16."""
    shared: list[str] = field(default_factory=lambda: ["cot-sft", "rft"])
    """Paradigms that are trained on these shares too."""
    validations: int = 5
    """How often a run is validated."""
    policy: str = "tiny"
    """The model that all paradigms start from."""
    options: Options = field(default_factory=dict)
    """Options of every run."""
    sft: list[str] = field(default_factory=list)
    """Configs over sft.yaml, for every fine-tuning."""
    grpo: list[str] = field(default_factory=list)
    """Configs over grpo.yaml, for every reinforcement."""
    task_config: str = "configs/data/{task}.yaml"
    """The config of a task's data."""
    folder: str | None = None
    """Where it writes to, if not to outputs/study/NAME."""
    expected: Expected = field(default_factory=Expected)
    """What --dry-run reckons with."""

    @property
    def home(self) -> Path:
        return Path(self.folder or f"outputs/study/{self.name}")

    def problems_of(self, task: str) -> int:
        return self.problems[task] if isinstance(self.problems, dict) else self.problems

    @property
    def fractions(self) -> list[Fraction]:
        """The shares below one, the smallest first."""
        return sorted({Fraction(share) for share in self.shares} - {Fraction(1)})

    def options_of(self, task: str, paradigm: str) -> Options:
        """All options of a run: of every run, of the paradigm, of the task, of both."""
        base = paradigm.removesuffix(MATCHED)
        given, of_task = self.paradigms, self.tasks[task]
        merged = dict(self.options)
        if paradigm == STAGE_1:
            merged |= given["rft"].get(STAGE_1) or {}
        else:
            # What is trained for longer is otherwise the same.
            for name in dict.fromkeys((base, paradigm)):
                merged |= _plain(given.get(name) or {})
        merged |= _plain(of_task)
        for name in dict.fromkeys((base, paradigm)):
            merged |= of_task.get(name) or {}
        return merged


def _plain(options: Mapping[str, Any]) -> Options:
    """Without those that are for one paradigm, or for stage 1."""
    return {key: value for key, value in options.items() if key not in (*PARADIGMS, STAGE_1)}


def check(study: Study) -> None:
    """Refuse what no study can be made of, in one sentence."""
    check_at_least(1, validations=study.validations)
    _known("tasks", study.tasks, [task.name for task in TASKS if task.name != "general"])
    _known("paradigms", study.paradigms, PARADIGMS)
    _known("shared", study.shared, ["ans-sft", "cot-sft", "rft-zero", "rft"])
    if not study.seeds or len(set(study.seeds)) < len(study.seeds):
        raise BadInput(f"seeds are {study.seeds}: name at least one, and none twice")
    if not 0 < study.chains < 1:
        raise BadInput(f"chains is {study.chains}: it is a share of the problems, between 0 and 1")
    for paradigm in study.paradigms:
        for needed in needs(paradigm):
            if needed not in study.paradigms:
                raise BadInput(f"{paradigm} needs the figures of {needed}: name it in paradigms")
    for share in study.shares:
        _check_share(share)
    if study.shares:
        _known("shared", study.shared, [*study.paradigms])
    for task in study.tasks:
        _check_problems(study, task)


def needs(paradigm: str) -> tuple[str, ...]:
    """The paradigms whose compute says how long this one is trained."""
    if not paradigm.endswith(MATCHED):
        return ()
    return ("rft", paradigm.removesuffix(MATCHED))


def _known(key: str, named: Any, known: Any) -> None:
    for name in named:
        if name not in known:
            raise BadInput(f"{key} names {name!r}: use {', '.join(known)}")
    if not named and key != "shared":
        raise BadInput(f"{key} is empty: name at least one of {', '.join(known)}")


def _check_share(share: str) -> None:
    try:
        value = Fraction(share)
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if not 0 < value <= 1 or value.numerator != 1:
        raise BadInput(f"shares names {share}: use 1/2, 1/4 and so on")


def _check_problems(study: Study, task: str) -> None:
    if isinstance(study.problems, dict) and task not in study.problems:
        raise BadInput(f"problems says no number for {task}: give one, or one number for all")
    count, least = study.problems_of(task), min([Fraction(1), *study.fractions])
    if count * least * Fraction(study.chains) < 1:
        raise BadInput(
            f"problems is {count:,} for {task}: of a share of {least}, the share of "
            f"{study.chains:g} whose chains are learned from is less than one problem"
        )
