"""What to say of a reward that fails, which may be anybody's code."""

import sysconfig
import traceback
from pathlib import Path

from reasonrft.errors import BadInput

_PACKAGE = str(Path(__file__).resolve().parents[1])
_NOT_OWN = (_PACKAGE, *(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")))


def describe_error(error: BaseException) -> str:
    """An error in one clause: what it says, and the deepest line of the user's own code."""
    text = " ".join(str(error).split())
    if isinstance(error, BadInput):
        return text
    message = f"{type(error).__name__}: {text}" if text else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return message
    own = [frame for frame in frames if not _is_library(frame.filename)]
    frame = (own or frames)[-1]
    return f"{message} ({frame.filename}, line {frame.lineno})"


def _is_library(filename: str) -> bool:
    return filename.startswith((*_NOT_OWN, "<frozen"))
