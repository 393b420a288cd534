"""Commands as documentation prints them, made small enough to run."""

import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path

import yaml

from reasonrft.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

TRAINING = ("fit", "validate", "test", "predict")
NOT_RUN = {
    r"reasonrft\.assets": "makes the tiny model anew, which takes hours",
    r"study/qwen": "asks the hub for a model; tests/study/test_dry_run.py has stand-ins",
    r"--with\.endpoint": "asks an API; tests/rewards/test_judge.py asks a server of its own",
    r"\.\.\.": "the dots stand for a folder with a name of its own",
}
"""Commands that are not run at all, by what they contain, and why."""
PARSED_ONLY = {
    r"vllm\.yaml": "samples with a server; tests/rollout/test_vllm_training.py has one",
    r"Qwen/|paper/": "the model must be downloaded; tests/cli/test_configs.py trains stand-ins",
    r"--endpoint": "asks an API; tests/modules/test_endpoint.py asks a server of its own",
    r"trainer\.devices [48]": "takes so many devices; tests/cli/test_two_devices.py takes two",
    r"sft.yaml --config data/grounding": "tests/cli/test_configs.py trains on its problems",
    r"recipes/": "tests/cli/test_configs.py trains with each",
    r"tiny/": "trains for hours; tests/cli/test_configs.py trains for a step",
}
"""Commands whose configuration is put together in full, but not run."""

DRY = {
    "sweep": [],  # tests/cli/test_configs.py trains, with stand-ins
    "study": ["--paradigms", '{"zero-shot": {}}', "--shares", "[]"],  # tests/study runs one
    "iterate": [],  # tests/iteration runs one
}
"""Commands that are only asked what they would run, and with which options."""

FEW_SAMPLES = ["--samples=4", "--max-tokens=80", "--no-blind", "--data.source.train=8"]
FEW_SAMPLES += ["--data.source.levels=[1]", "--data.source.workers=1"]
"""Some of them are right."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^(?:python -m )?reasonrft(?:\.\w+)* .*", re.MULTILINE)
_ASSIGNED = re.compile(r"^([A-Z])=(\S+|\"[^\"]*\")$", re.MULTILINE)
_LOOPED = re.compile(r"^for ([A-Z]) in (\S+)", re.MULTILINE)
"""A loop's commands are run with its first value."""
_MENTIONED = re.compile(r"`([\w-]+\.py)`")
_FILE = re.compile(r"^# ([\w-]+\.(?:py|yaml))\b")


def commands_in(text: str) -> Iterator[list[str]]:
    """The words of every command in the fenced blocks of a page, the first of them `reasonrft`."""
    variables: dict[str, str] = {}
    for _, block in _FENCE.findall(text):
        assigned = [*_ASSIGNED.findall(block), *_LOOPED.findall(block)]
        variables |= {name: value.strip('"') for name, value in assigned}
        for line in _COMMAND.findall(block.replace("\\\n", " ")):
            for name, value in variables.items():
                line = line.replace(f"${name}", value)
            yield shlex.split(line.removeprefix("python -m "), comments=True)


def write_files(text: str, home: Path) -> None:
    """Write the code and configurations that a page names, in their first line or just before."""
    before = 0
    for found in _FENCE.finditer(text):
        mentioned = _MENTIONED.findall(text[before : found.start()])
        before = found.end()
        if named := _FILE.match(found[2]):
            (home / named[1]).write_text(found[2])
        elif found[1] == "python" and mentioned:
            (home / mentioned[-1]).write_text(found[2])


def reason(command: list[str], reasons: dict[str, str]) -> str | None:
    line = " ".join(command)
    return next((why for part, why in reasons.items() if re.search(part, line)), None)


def run_small(command: list[str]) -> None:
    """Run a command on a few problems and for one step; raise what ends it badly."""
    _, *args = command
    if args[0] == "data":
        main([*_resized(args), *_few_problems(args)])
    elif args[0] in DRY:
        show(tuple(arg.removeprefix("configs/") for arg in args if arg != "--dry-run"))
    elif args[0] == "distill":
        if not reason(command, PARSED_ONLY):
            main([*args, *FEW_SAMPLES])
    elif args[0] not in TRAINING:
        main(args)
    else:
        config = configuration(args)
        if not reason(command, PARSED_ONLY):
            main([*args, *(f"--{name}={value}" for name, value in _short(config).items())])


@cache
def show(args: tuple[str, ...]) -> None:
    """What a command would run, which leaves nothing: once for all pages."""
    main([*args, "--dry-run", *DRY[args[0]]])


def configuration(args: list[str]) -> dict:
    """The whole configuration of a training command."""
    printed = StringIO()
    try:
        with redirect_stdout(printed):
            main([*args, "--print_config"])
    except SystemExit as stop:
        assert not stop.code, " ".join(args)
    return yaml.safe_load(printed.getvalue())


def _resized(args: list[str]) -> list[str]:
    """The arguments with `--size 2` in the place of a large one."""
    return [
        "2" if before == "--size" else arg
        for before, arg in zip(["", *args[:-1]], args, strict=True)
    ]


def _few_problems(args: list[str]) -> list[str]:
    if "reason-rft" in args:
        return ["--stage1", "2"]
    return {"build": ["--workers", "1"], "preview": ["--count", "2"]}.get(args[1], [])


def _short(config: dict) -> dict[str, object]:
    """Options that keep a run of this configuration short."""
    options: dict[str, object] = {
        "trainer.accelerator": "cpu",
        "trainer.enable_progress_bar": "false",
        "trainer.max_steps": 1,
        "trainer.limit_val_batches": 1,
        "trainer.limit_test_batches": 1,
        "trainer.limit_predict_batches": 1,
        "data.batch_size": 2,
        "data.eval_batch_size": 2,
        "data.limit": 2,
        "data.skip": 0,
        "model.answer_tokens": 2,
    }
    if config["model"]["class_path"].endswith("GRPOModule"):
        options |= {"model.group_size": 2, "model.sampling.max_tokens": 4}
    if config["data"]["init_args"]["source"]["class_path"].endswith("DrawnProblems"):
        sizes = {"train": 4, "val": 2, "test": 2, "workers": 1}
        options |= {f"data.source.{name}": size for name, size in sizes.items()}
    return options
