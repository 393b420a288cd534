"""Checkpoints that know their run, and runs that go on only as what they were."""

import textwrap
import warnings
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_info

from reasonrft.checkpoints.manifest import Changes, Manifest, changes, make_manifest
from reasonrft.errors import BadInput


class RunManifest(Callback):
    """Writes into each checkpoint what its run is, and compares when one is gone on from."""

    def __init__(self, config: Mapping[str, Any], go_on: bool = False) -> None:
        """
        Args:
            config: The command's configuration, complete and plain.
            go_on: Go on also where what comes cannot be what would have come.
        """
        self.config, self.go_on = config, go_on
        self.manifest: Manifest = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        # Of the same callbacks with other arguments; those are told as changes.
        warnings.filterwarnings("ignore", message="Be aware that when using `ckpt_path`")

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint["manifest"] = self.now(trainer, pl_module)

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if "manifest" not in checkpoint:
            rank_zero_info(f"{trainer.ckpt_path} does not say what run it is of")
            return
        other, harmless = changes(checkpoint["manifest"], self.now(trainer, pl_module))
        if harmless:
            rank_zero_info(f"changed since {trainer.ckpt_path}:\n{listed(harmless)}")
        if other and not self.go_on:
            raise BadInput(
                f"{trainer.ckpt_path} is of another run ({listed(other, ', ', '')}): what came "
                "next would not be what would have come; take the changes back, or go on in spite "
                "of them with --resume_changed true"
            )
        if other:
            rank_zero_info(
                f"going on from {trainer.ckpt_path} though it is of another run:\n{listed(other)}"
            )
            adapt(checkpoint, other)

    def now(self, trainer: Trainer, module: LightningModule) -> Manifest:
        """The manifest of this run: the same in all of its checkpoints."""
        if not self.manifest:
            self.manifest = make_manifest(self.config, trainer, module)
        return self.manifest


def adapt(checkpoint: dict[str, Any], other: Changes) -> None:
    """Leave out of a checkpoint what a changed run cannot take from it."""
    parts = {key.removesuffix(".class_path") for key in other} & {
        "model.optimizer",
        "model.scheduler",
        "model.master_weights",
    }
    if parts:
        rank_zero_info("another optimizer or schedule begins anew")
        checkpoint["lr_schedulers"] = []
    elif any(key.startswith(("model.optimizer.", "model.scheduler.")) for key in other):
        rank_zero_info("optimizer and schedule go on with the checkpoint's settings")
    if parts & {"model.optimizer", "model.master_weights"}:
        checkpoint["optimizer_states"] = []
    for loader in checkpoint["loops"]["fit_loop"]["state_dict"].get("combined_loader", []):
        if isinstance(loader, dict) and "order" in loader:
            loader["order"] = None  # whatever is read, as far into it


def listed(told: Changes, between: str = "\n", indent: str = "  ") -> str:
    """Changes as a person reads them."""
    lines = []
    for key, (before, now) in told.items():
        shown = [textwrap.shorten(str(value), 60, placeholder="…") for value in (before, now)]
        same = shown[0] == shown[1]
        lines.append(f"{indent}{key}: " + ("changed" if same else f"{shown[0]} -> {shown[1]}"))
    return between.join(lines)
