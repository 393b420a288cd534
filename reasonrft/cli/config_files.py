"""Finding configurations by name: in the folder of the command, or among those that ship."""

import difflib
from collections.abc import Sequence
from pathlib import Path

import yaml

from reasonrft.errors import BadInput

PACKAGE = Path(__file__).resolve().parents[1]


def shipped_configs() -> Path:
    """The folder of the configurations that ship: inside a wheel, beside the package in a clone."""
    installed = PACKAGE / "configs"
    return installed if installed.is_dir() else PACKAGE.parent / "configs"


def find_config(name: str) -> Path:
    """The file of this name; `grpo.yaml` and `configs/grpo.yaml` mean the same one that ships."""
    if name.startswith("--"):
        raise BadInput(f"--config needs a file, such as grpo.yaml, and not {name}")
    if Path(name).is_file():
        return Path(name)
    shipped = shipped_configs()
    file = shipped / Path(name).as_posix().removeprefix("./").removeprefix("configs/")
    if not Path(name).is_absolute() and file.is_file():
        return file
    known = sorted(path.relative_to(shipped).as_posix() for path in shipped.rglob("*.yaml"))
    near = difflib.get_close_matches(Path(name).name, known, 1, 0.6)
    hint = f"did you mean {near[0]}?" if near else f"those that ship are {', '.join(known)}"
    raise BadInput(f"there is no config {name}, neither in {Path.cwd()} nor in {shipped}; {hint}")


def checked_config(name: str) -> Path:
    """The file of this name; `BadInput` where its YAML cannot be read, or has no keys."""
    path = find_config(name)
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadInput(f"{path}, line {line}, is not YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict):
        raise BadInput(f"{path} has no keys: a config is YAML such as `trainer: {{max_steps: 50}}`")
    return path


def with_config_paths(args: Sequence[str]) -> list[str]:
    """The arguments with the path of its file in the place of each config's name."""
    found: list[str] = []
    for arg in args:
        option, equals, value = arg.partition("=")
        if equals and option in ("--config", "-c"):
            arg = f"{option}={checked_config(value)}"
        elif found and found[-1] in ("--config", "-c"):
            arg = str(checked_config(arg))
        found.append(arg)
    if found and found[-1] in ("--config", "-c"):
        raise BadInput(f"{found[-1]} needs a file, such as grpo.yaml")
    return found


def config_names(args: Sequence[str]) -> list[str]:
    """The names of all configs among the arguments, without their folders and endings."""
    paths = [
        value if equals else follower
        for arg, follower in zip(args, [*args[1:], ""], strict=True)
        for option, equals, value in [arg.partition("=")]
        if option in ("--config", "-c")
    ]
    return [Path(path).stem for path in paths]
