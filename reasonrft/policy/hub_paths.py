"""Where a model's files are: a folder, a shipped model, or a repository on the Hub."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from pickle import UnpicklingError

from safetensors import SafetensorError

from reasonrft.errors import BadInput

ASSETS = Path(__file__).resolve().parents[1] / "assets"
SHIPPED = ("tiny", "tiny-counting")
_NEEDS_WEIGHTS = ContextVar("needs_weights", default=True)


def resolve(path: str) -> str:
    """The folder or Hub name to load from; a folder must hold weights in *.safetensors."""
    folder = Path(path).expanduser()
    if path in SHIPPED and not folder.is_dir():
        folder = ASSETS / path
    if folder.is_dir():
        _check_weights(folder)
        return str(folder)
    if _looks_local(path):
        shipped = ", ".join(SHIPPED)
        raise BadInput(
            f"no folder {folder} with a model: give a folder, the Hub's owner/name, or one that "
            f"comes with reasonrft ({shipped})"
        )
    return path


@contextmanager
def without_weights() -> Iterator[None]:
    """Within this context a folder of a model needs no weights: its config.json says its shape."""
    token = _NEEDS_WEIGHTS.set(False)
    try:
        yield
    finally:
        _NEEDS_WEIGHTS.reset(token)


def portable_name(path: str) -> str:
    """What names a model from any working directory: a shipped name, a full path, a Hub name."""
    if not os.path.isdir(path):
        return path
    folder = Path(path).resolve()
    return folder.name if folder.parent == ASSETS and folder.name in SHIPPED else str(folder)


def _looks_local(path: str) -> bool:
    parts = Path(path).parts
    return path.startswith((".", "/", "~")) or len(parts) != 2 or Path(parts[0]).is_dir()


def holds_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no model."""
    return (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file()


def _check_weights(folder: Path) -> None:
    if holds_adapter(folder):
        raise BadInput(
            f"{folder} holds an adapter, not a model: name its base as the policy and this folder "
            "as the adapter's path"
        )
    index = folder / "model.safetensors.index.json"
    if index.is_file() and not _names_safetensors(index):
        raise BadInput(f"{index} names other files than *.safetensors of its folder")
    if _NEEDS_WEIGHTS.get() and not any(folder.glob("*.safetensors")):
        raise BadInput(f"{folder} has no *.safetensors; weights in other formats are not loaded")


def _names_safetensors(index: Path) -> bool:
    """Whether all weights of an index are in this folder, in the one format that holds no code."""
    try:
        files = set(json.loads(index.read_text("utf-8"))["weight_map"].values())
        return all(name == Path(name).name and name.endswith(".safetensors") for name in files)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False


@contextmanager
def opening(path: str) -> Iterator[None]:
    """Say in one sentence why a folder, or a name on the Hub, cannot be loaded."""
    try:
        yield
    except BadInput:
        raise
    # What transformers raises for files, names, settings, code and libraries that are not there.
    except (OSError, ValueError, ImportError, SafetensorError, UnpicklingError) as error:
        place = "" if os.path.isdir(path) else " from the Hub"
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadInput(f"{path} cannot be loaded{place}: {reason}") from error
