"""The commands that train nothing: `data` and `score`."""

import inspect
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import docstring_parser
from jsonargparse import ArgumentParser

from reasonrft.cli.exit_codes import exit_code
from reasonrft.errors import BadInput
from reasonrft.reward_command import class_for, score_file
from reasonrft.rewards import Reward


def run_data(args: Sequence[str]) -> int:
    """`data validate|preview|convert|build`; returns the exit code."""
    from reasonrft.data import build, convert, preview, validate

    functions: dict[str, Callable[..., int]] = {
        "validate": validate,
        "preview": preview,
        "convert": convert,
        "build": build,
    }
    parser = ArgumentParser(prog="reasonrft data", description="Look after a data set.")
    commands = parser.add_subcommands(dest="command")
    for name, function in functions.items():
        commands.add_subcommand(name, _parser_of(function), help=_summary(function))
    chosen = parser.parse_args(list(args))
    return exit_code(functions[chosen.command], **chosen[chosen.command].as_dict())


def _parser_of(function: Callable[..., int]) -> ArgumentParser:
    """Options as a function's signature and docstring have them; `source` needs no flag."""
    described = docstring_parser.parse(function.__doc__ or "")
    helps = {param.arg_name: param.description for param in described.params}
    types = get_type_hints(function)
    parser = ArgumentParser(description=_summary(function))
    for parameter in inspect.signature(function).parameters.values():
        name = parameter.name
        flag = name if name == "source" else "--" + name.replace("_", "-")
        options: dict[str, Any] = {"help": helps[name]}
        if types[name] is bool:
            options |= {"action": "store_true"}
        elif parameter.default is not parameter.empty:
            options |= {"type": types[name], "default": parameter.default}
        else:
            options |= {"type": types[name], **({"required": True} if flag != name else {})}
        parser.add_argument(flag, **options)
    return parser


def _summary(function: Callable[..., int]) -> str | None:
    return docstring_parser.parse(function.__doc__ or "").short_description


def run_score(args: Sequence[str]) -> int:
    """`score FILE --with NAME`; returns the exit code."""
    parser = ArgumentParser(
        prog="reasonrft score", description="Judge completions, one JSON line each, in order."
    )
    add = parser.add_argument
    add("file", type=str, help="JSONL of {completion, solution}, or the release's predictions")
    add("--with", type=Reward, required=True, help="reward, scorer or task: name or class_path")
    add("--task", type=str | None, help="task of all rows, by name or class_path")
    add("--output", type=str | None, help="JSONL to write instead of the terminal")
    add("--json", action="store_true", help="print one JSON object last")
    try:
        chosen = parser.parse_args(_spelt_out(list(args)))
    except BadInput as error:
        print(f"reasonrft: {error}", file=sys.stderr)
        return 2
    reward = parser.instantiate(chosen)["with"]
    return exit_code(_score, chosen.file, reward, chosen.task, chosen.output, chosen.json)


def _spelt_out(args: list[str]) -> list[str]:
    """Put class_path and arguments in the place of the name that `--with` is given."""
    for index, arg in enumerate(args):
        if arg == "--with" and index + 1 < len(args):
            args[index + 1] = json.dumps(class_for(args[index + 1]))
        elif arg.startswith("--with="):
            args[index] = "--with=" + json.dumps(class_for(arg.partition("=")[2]))
    return args


def _score(file: str, reward: Reward, task: str | None, output: str | None, as_json: bool) -> int:
    count, mean = score_file(Path(file), reward, task, Path(output) if output else None)
    if told := reward.describe_work(reward.take_work()):
        print(told, file=sys.stderr)
    if as_json:
        print(json.dumps({"rows": count, "mean": mean}))
    else:
        print(f"{count} rows, mean {mean:.4f}")
    return 0
