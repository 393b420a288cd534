"""Functions in processes of their own, which may compute: what forks runs may not.

They are forked from one that has imported everything, for that takes longer than a small run does.
"""

import importlib
import json
import multiprocessing
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from reasonrft.errors import BadInput

Result = TypeVar("Result")
_FORK = multiprocessing.get_context("fork")


def preload(policy: str) -> None:
    """Import what runs need; nothing may be computed before the last fork.

    Args:
        policy: The model that they start from.
    """
    import reasonrft.cli.training_cli  # noqa: F401
    from reasonrft.policy.hub_paths import resolve

    with suppress(OSError, ValueError, KeyError, ImportError):
        config = Path(resolve(policy)) / "config.json"
        kind = json.loads(config.read_bytes())["model_type"]
        importlib.import_module(f"transformers.models.{kind}.modeling_{kind}")


def result_of(function: Callable[..., Result], *args: Any) -> Result:
    """What a function returns in a process of its own; its BadInput is raised here."""
    here, there = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_send, args=(there, function, args))
    process.start()
    there.close()
    try:
        kind, value = here.recv()
    except EOFError:
        process.join()
        raise BadInput(f"{function.__name__} has ended with {process.exitcode}") from None
    process.join()
    if kind == "fault":
        raise BadInput(value)
    return value


def _send(there: Connection, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        there.send(("result", function(*args)))
    except (BadInput, OSError) as error:
        there.send(("fault", str(error)))
