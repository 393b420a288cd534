"""Options of the command line that are about evaluation."""

import os
import warnings
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import rank_zero_info

from reasonrft.checkpoints.write_aside import PREVIOUS
from reasonrft.errors import BadInput

_FLAGS = {
    "blind": "without the images",
    "swap": "with another problem's images",
}


def add_image_flags(parser: ArgumentParser) -> None:
    """`--blind` and `--swap`, which `test` hands to the module's arguments of these names."""
    for flag, how in _FLAGS.items():
        parser.add_argument(f"--{flag}", type=bool, default=False, help=f"Test also {how}.")


def set_image_flags(config: Namespace, command: str) -> None:
    """Give the flags to the module; only `test` has a use for them."""
    for flag, how in _FLAGS.items():
        if config[flag] and command != "test":
            raise BadInput(f"--{flag} asks also {how}, which only test does: leave it out")
        if config[flag]:
            _switch_on(config.model, flag)


def _switch_on(model: Namespace, flag: str) -> None:
    arguments = model.get("init_args") or {}
    if flag not in arguments:
        name = str(model.class_path).rpartition(".")[2]
        raise BadInput(
            f"--{flag}: {name} has no argument {flag}; use a module that is an EvaluatedModule"
        )
    arguments[flag] = True


def last_checkpoint(trainer: Trainer, command: str, ckpt_path: str | None) -> str | None:
    """The checkpoint to take where the last one is asked for; training begins without one."""
    saving = [c for c in trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint)]
    # Lightning's own search, so that both always agree.
    if ckpt_path != "last" or any(c._find_last_checkpoints(trainer) for c in saving):
        return ckpt_path
    folders = dict.fromkeys(c.dirpath or trainer.default_root_dir for c in saving)
    for folder in folders:
        if before := sorted(Path(folder).glob(f"{PREVIOUS}last*.ckpt"), key=os.path.getmtime):
            rank_zero_info(f"no last checkpoint: taking the one before, {_shown(before[-1])}")
            return str(before[-1])
    searched = " or ".join(map(_shown, folders or [trainer.default_root_dir]))
    if command != "fit":
        raise BadInput(
            f"no checkpoint in {searched}: without --ckpt_path the starting policy is evaluated, "
            "and --ckpt_path takes the file of any checkpoint"
        )
    rank_zero_info(f"no checkpoint in {searched}: starting from the beginning")
    # Lightning says the same in a warning.
    warnings.filterwarnings("ignore", message=r'\.fit\(ckpt_path="last"\) is set, but there is no')
    return ckpt_path


def _shown(folder: str | Path) -> str:
    """A folder below the one where the command runs is shown as it was given."""
    path = Path(folder)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
