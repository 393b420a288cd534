"""The folder of a run: its name, and the lock that keeps a second run out of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from lightning.fabric.utilities.rank_zero import _get_rank

from reasonrft.cli.class_paths import class_of
from reasonrft.cli.problem_options import as_list, file_name
from reasonrft.errors import BadInput


def default_folder(given: Mapping[str, Any], command: str, configs: Sequence[str]) -> str:
    """`outputs/NAME/PROBLEMS`: what is run, and on which problems.

    Args:
        given: The command's configuration without defaults.
        command: fit, validate, test or predict.
        configs: Names of the configuration's files; the first one names the run.
    """
    name = given.get("name") or (configs[0] if configs else command)
    return str(Path("outputs", str(name), problems_name(given)))


def problems_name(given: Mapping[str, Any]) -> str:
    """The name of the task or of the file that a run's problems come from."""
    if own := as_list(given.get("problems")) or as_list(given.get("test_problems")):
        return file_name(own[0])
    data = given.get("data") or {}
    arguments = data.get("init_args") or {}
    source = (arguments.get("source") or {}).get("init_args") or {}
    if _is_plain(source.get("task")):
        return source["task"]
    if _is_plain(source.get("train")):
        return file_name(source["train"])
    cls = class_of(data)
    task = getattr(cls, "task_name", None)
    return task or (cls.__name__.removesuffix("DataModule").lower() if cls else "") or "data"


def _is_plain(value: Any) -> bool:
    """Whether it is text that nothing has to be put into."""
    return isinstance(value, str) and "${" not in value


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from training into this folder; the first rank does it for all."""
    if (_get_rank() or 0) != 0:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0)
        lock.acquire()
    except Timeout as error:
        raise BadInput(
            f"another run is training into {folder}: wait for its end, or give this one a folder "
            "of its own with --trainer.default_root_dir"
        ) from error
    except OSError as error:
        raise BadInput(
            f"nothing can be written into {folder} ({error.strerror}): give another folder with "
            "--trainer.default_root_dir"
        ) from error
    try:
        yield
    finally:
        lock.release()
