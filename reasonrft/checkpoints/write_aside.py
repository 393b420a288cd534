"""Files and folders that appear whole, while the one before stays until they do.

Beside `NAME` stand `previous-NAME`, the one before, and while it is written `.NAME.draft`. At every
instant `NAME` or `previous-NAME` is there, and whole.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO

from reasonrft.errors import BadInput

# Not "last-…": ModelCheckpoint takes the newest file that begins so for the last one.
PREVIOUS = "previous-"
DRAFT = ".draft"
REPLACED = ".replaced"


def draft_of(target: Path) -> Path:
    """Where a target is written before it is whole: beside it, so that moving it is one step."""
    return target.with_name(f".{target.name}{DRAFT}")


def previous_of(target: Path) -> Path:
    """Where the one before is kept."""
    return target.with_name(PREVIOUS + target.name)


@contextmanager
def write_aside(target: Path, is_whole: Callable[[Path], bool] = Path.exists) -> Iterator[Path]:
    """Give a draft to be written, as a file or as a folder, and put it in the target's place.

    Args:
        target: The file or folder that appears, or stays as it is if writing fails.
        is_whole: Whether what the target now is may replace the one before it.
    """
    with in_one_sentence(target):
        draft = prepare_draft(target)
        try:
            yield draft
            put_in_place(target, is_whole)
        finally:
            remove(draft)


@contextmanager
def in_one_sentence(target: Path) -> Iterator[None]:
    """Say in one sentence why a target cannot be written."""
    try:
        yield
    except OSError as error:
        left = (
            "the one before is as it was" if os.path.exists(target) else "there is none before it"
        )
        raise BadInput(
            f"{target} cannot be written ({error.strerror or error}); {left}: make room, or give a "
            "folder that can be written"
        ) from error


def prepare_draft(target: Path) -> Path:
    """Where to write a target; what killed runs left beside it is removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _restore(target)
    for left in target.parent.glob(f".*{DRAFT}"):
        remove(left)
    return draft_of(target)


def put_in_place(target: Path, is_whole: Callable[[Path], bool] = Path.exists) -> None:
    """Move a target's whole draft to its place, and what was there to that of the one before."""
    draft = draft_of(target)
    _sync_all(draft)
    if is_whole(target):
        _keep(target)
    if draft.is_dir() or target.is_dir():
        remove(target)
    os.replace(draft, target)
    remove(_replaced(target))
    _sync(target.parent)


@contextmanager
def open_draft(draft: Path) -> Iterator[IO[bytes]]:
    """A draft to write to; whatever the writer makes of it, a full disk is an OSError."""
    with draft.open("wb") as file:
        watched = _Watched(file)
        try:
            yield watched  # type: ignore[misc]  # what torch.save uses of a file
            file.flush()
        except Exception:
            if watched.fault is None:
                raise
            with suppress(OSError):
                file.close()
            raise watched.fault from None


class _Watched:
    """Remembers why writing failed: torch.save says only that it did."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.fault: OSError | None = None

    def write(self, content: bytes) -> int:
        try:
            return self.file.write(content)
        except OSError as error:
            self.fault = error
            raise

    def flush(self) -> None:
        self.file.flush()


def _replaced(target: Path) -> Path:
    return target.with_name(f".{target.name}{REPLACED}")


def _keep(target: Path) -> None:
    """Let a target be the one before: under both names where that can be, else moved."""
    previous, replaced = previous_of(target), _replaced(target)
    remove(replaced)
    if target.is_file() and not previous.is_dir():
        try:
            os.link(target, replaced)
            os.replace(replaced, previous)
        except OSError:  # a file system without hard links
            os.replace(target, previous)
        return
    # A folder cannot be replaced: three moves, of which none leaves less than one whole.
    if previous.exists():
        os.rename(previous, replaced)
    os.rename(target, previous)


def _restore(target: Path) -> None:
    """Undo a replacement of the one before that was cut off half-way."""
    replaced, previous = _replaced(target), previous_of(target)
    if replaced.exists() and not previous.exists():
        os.rename(replaced, previous)
    remove(replaced)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync_all(path: Path) -> None:
    """Have a file, or a folder and all in it, on the disk and not only on its way there."""
    for below in sorted(path.rglob("*")) if path.is_dir() else []:
        _sync(below)
    _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        # Some file systems cannot do this for folders.
        with suppress(OSError) if path.is_dir() else nullcontext():
            os.fsync(handle)
    finally:
        os.close(handle)
