"""Checkpoints that are whole or not there, and that are read as numbers and text alone."""

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO

from reasonrft.checkpoints.sharded_folder import files_of, join_files
from reasonrft.checkpoints.write_aside import open_draft, previous_of, remove, write_aside
from reasonrft.distributed.sharded_state import whole_state
from reasonrft.errors import BadInput


class SafeCheckpointIO(CheckpointIO):
    """Writes a checkpoint aside, keeps the one before, and runs nothing that one holds."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        if storage_options is not None:
            raise TypeError("a checkpoint is a local file, and takes no storage_options")
        with write_aside(Path(path), self.is_whole) as draft:
            self.write(checkpoint, draft)

    def load_checkpoint(
        self,
        path: str | os.PathLike[str],
        map_location: Any = "cpu",
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint; `weights_only` is always true, whatever is asked for."""
        return whole_state(self.load_pieces(Path(path), map_location))

    def load_pieces(
        self, path: Path, map_location: Any = "cpu", rank: int = 0, ranks: int = 1
    ) -> dict[str, Any]:
        """Read a checkpoint whose tensors are in as many pieces as ranks have written.

        Args:
            path: The file or folder.
            map_location: Where tensors are to lie.
            rank: Which of the processes this is that read it.
            ranks: How many they are: each makes sure that some of the files are not damaged.
        """
        try:
            return self.read(path, map_location, rank, ranks)
        except BadInput as error:
            raise BadInput(f"{error}; {self.advice(path)}") from error

    def remove_checkpoint(self, path: str | os.PathLike[str]) -> None:
        for name in (Path(path), previous_of(Path(path))):
            remove(name)

    def write(self, checkpoint: dict[str, Any], draft: Path) -> None:
        with open_draft(draft) as file:
            torch.save(checkpoint, file)

    def read(self, path: Path, map_location: Any, rank: int = 0, ranks: int = 1) -> dict[str, Any]:
        if not path.is_dir():
            return read_file(path, map_location, rank == 0)
        files = enumerate(files_of(path))
        return join_files(path, [load(f, map_location, i % ranks == rank) for i, f in files])

    def is_whole(self, path: Path) -> bool:
        return all(map(has_end, files_of(path) if path.is_dir() else [path]))

    def advice(self, path: Path) -> str:
        """What to do about a checkpoint that cannot be read."""
        before = previous_of(path)
        try:
            self.read(before, "meta")
        except BadInput:
            return "give another one with --ckpt_path"
        return f"the one before is whole: --ckpt_path {before}"


def has_end(path: Path) -> bool:
    """Whether a file was written to its end, where the list of its contents stands."""
    return path.is_file() and zipfile.is_zipfile(path)


def read_file(path: Path, map_location: Any = "cpu", check: bool = True) -> dict[str, Any]:
    """A training checkpoint of one file; anything else is a `BadInput`."""
    checkpoint = load(path, map_location, check)
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise BadInput(f"{path} is no checkpoint of a training run")
    return checkpoint


def load(path: Path, map_location: Any = "cpu", check: bool = True) -> Any:
    """The numbers and text in a file; if it holds more, a `BadInput`, and nothing is run.

    Args:
        path: The file.
        map_location: Where tensors are to lie.
        check: Read all of it once, and compare checksums.
    """
    if fault := _fault_of(path, check):
        raise BadInput(f"{path} {fault}")
    try:
        return torch.load(path, map_location, weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise BadInput(
            f"{path} holds more than numbers and text, which could run code when it is read: no "
            "checkpoint of this program does"
        ) from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error})") from error
    except Exception as error:  # damaged bytes raise anything
        raise BadInput(f"{path} is damaged") from error


def _fault_of(path: Path, check: bool) -> str | None:
    if not path.exists():
        return "is not there"
    if not path.is_file():
        return "is no file"
    try:
        if path.stat().st_size == 0:
            return "is empty"
        if not zipfile.is_zipfile(path):
            return "is cut off, damaged or no checkpoint"
        if not check:
            return None
        # torch.load compares no checksums.
        with zipfile.ZipFile(path) as archive:
            return "is damaged" if archive.testzip() else None
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    except Exception:  # damaged bytes raise anything
        return "is damaged"
