"""A command-line parser that says in one sentence what is wrong with a configuration."""

import difflib
import importlib
import inspect
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from lightning.pytorch.cli import LightningArgumentParser
from omegaconf.errors import OmegaConfBaseException

from reasonrft.errors import BadInput, printable

_KEY = re.compile(r'Parser key "([^"]+)":? *')
_CLASS = re.compile(r"Problem with given class_path '([^']+)': *")
_CALLABLE = re.compile(r"Type .* expects a function or a callable class: (.*?)\.? Got value: (.*)")
_KEY_OF_CALLABLE = re.compile(
    r"Type .* expects a function or a callable class: Parser key \"([^\"]+)\":$"
)
_PART_OF_CALLABLE = re.compile(r"class_path='([^']+)'")
_GROUP = re.compile(r"Group '([^']+)' does not accept option '([^']+)'")
_UNKNOWN = (
    re.compile(r"Option '([^']+)' is not accepted"),
    re.compile(r"unrecognized arguments: --([^=\s]+)"),
    re.compile(r"Subcommand '\w+' does not accept option '([^']+)'"),
)
_NO_CLASS = re.compile(r"module '([^']+)' has no attribute '([^']+)'")
_NO_NAME = re.compile(r"Expected a dot import path string: (\S+)")
_EXPECTED = re.compile(r"^\s*- Expected an? ((?:<class|typing).+?)\.?$", re.MULTILINE)
_PATH = re.compile(r"Expected a path but (?!\S+\.(ya?ml|json) )")
_NOISE = ("Does not validate", "Subtypes:", "Errors:", "Given value", "Expected a <class 'None")
_LONGEST = 400


class OneSentenceParser(LightningArgumentParser):
    """Says what is wrong, without usage and without the history of what was tried."""

    def __init__(self, *args: Any, **options: Any) -> None:
        # A part of an option's name would be taken for it, and not for a mistake.
        super().__init__(*args, **{"allow_abbrev": False, **options})

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        if not self.exit_on_error:
            super().error(message, ex)
        known = [action.dest for action in getattr(ex, "subcommand_parser", self)._actions]
        print(f"reasonrft: {printable(one_sentence(message, known))}", file=sys.stderr)
        raise SystemExit(2)

    def parse_args(self, *args: Any, **options: Any) -> Any:
        try:
            return super().parse_args(*args, **options)
        except OmegaConfBaseException as error:
            self.error(str(error).splitlines()[0])

    def instantiate(self, *args: Any, **options: Any) -> Any:
        try:
            return super().instantiate(*args, **options)
        except ValueError as error:
            # What a constructor says of its arguments ends up inside a report like that of `error`.
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, BadInput):
                cause = cause.__cause__
            if cause is None:
                raise
            raise BadInput(str(cause)) from None


def one_sentence(message: str, known: Sequence[str] = ()) -> str:
    """jsonargparse's report of a fault: where it is, and what would be accepted there.

    Args:
        message: Many lines; each key and each class on the way to the fault has one.
        known: Keys that there are at the top.
    """
    keys: list[str] = []
    owner = ""
    for line in map(str.strip, message.splitlines()):
        line = line.removeprefix("- ")
        if line.startswith(_NOISE) or _PATH.match(line):
            continue
        if found := _KEY.match(line):
            keys.append(found[1])
            owner, line = "", line[found.end() :]
        if found := _CLASS.match(line):
            owner, line = found[1], line[found.end() :]
        if found := _KEY_OF_CALLABLE.match(line):
            keys.append(found[1])
            owner, line = "", ""
        if found := _CALLABLE.match(line):
            line, part = found[1], _PART_OF_CALLABLE.search(found[2])
            owner = part[1] if part else ""
        if found := _GROUP.match(line):
            keys.append(found[1])
            owner, line = "", f"Option '{found[2]}' is not accepted"
        if line:
            place = f"{'.'.join(keys)}: " if keys else ""
            return place + (_alternatives(line, message) or _fault(line, owner, known))
    return " ".join(message.split())


def _alternatives(line: str, message: str) -> str:
    """All types that a value may have, where none of them fitted."""
    if not line.startswith(("Expected a <class", "Expected a typing")):
        return ""
    one, said, _ = line.removeprefix("Expected a ").partition(". Got value")
    types = [one] if said else _EXPECTED.findall(message) or [one]
    return _plain("expected " + " or ".join(t for t in dict.fromkeys(types) if "NoneType" not in t))


def _plain(text: str) -> str:
    """Types as they are written in code, and no more of a value than can be read."""
    text = re.sub(r"<class '([^']+)'>", r"\1", text).replace("typing.Literal", "one of ")
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def _fault(line: str, owner: str, known: Sequence[str]) -> str:
    for pattern in _UNKNOWN:
        if found := pattern.search(line):
            return _unknown(found[1], owner, known)
    if found := _NO_CLASS.search(line):
        return f"there is no {found[1]}.{found[2]}{_near(found[2], _names_in(found[1]))}"
    if found := _NO_NAME.search(line):
        return f"there is no class {found[1]}; give one of reasonrft, or a whole class_path"
    return _plain(line)


def _unknown(name: str, owner: str, known: Sequence[str]) -> str:
    """That there is no such option, and which one may have been meant, or which there are."""
    whose = f"{owner.rpartition('.')[2]} has" if owner else "there is"
    known = _options_of(owner) if owner else known
    listed = f"; it has {', '.join(known)}" if owner and known else "; --help lists what there is"
    return f"{whose} no option {name!r}{_near(name, known) or listed}"


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1, 0.7)
    return f"; did you mean {near[0]}?" if near else ""


def _options_of(class_path: str) -> list[str]:
    module, _, name = class_path.rpartition(".")
    try:
        return list(inspect.signature(getattr(importlib.import_module(module), name)).parameters)
    except (ImportError, AttributeError, TypeError, ValueError):
        return []


def _names_in(module: str) -> list[str]:
    return dir(sys.modules[module]) if module in sys.modules else []
