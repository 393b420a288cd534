"""The training commands, on LightningCLI."""

import sys
import warnings
from collections.abc import Sequence

from jsonargparse import set_parsing_settings
from lightning.pytorch import LightningDataModule, LightningModule
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities.exceptions import MisconfigurationException

# Imported classes can be named in YAML without their module.
import reasonrft.callbacks
import reasonrft.datamodules
import reasonrft.losses
import reasonrft.modules
import reasonrft.rewards
import reasonrft.rollout
import reasonrft.tasks  # noqa: F401
from reasonrft.errors import BadInput
from reasonrft.evaluation_options import (
    add_image_flags,
    check_last_checkpoint,
    set_image_flags,
)
from reasonrft.parser import OneSentenceParser

# Lets `${seed_everything}` mean the key of this subcommand, whose real root is `fit`.
set_parsing_settings(omegaconf_absolute_to_relative_paths=True)

NOISE = (
    # Lightning's, about a call of its own.
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    # Checkpoints of stage 2 are meant to hold the weights after the step.
    "Using ModelCheckpoint with manual optimization",
    # So they are: problems are frozen, and the policy moves what it joins.
    "You have overridden `transfer_batch_to_device` in both",
    # A tower with batch norms that is not trained stands still.
    r"Found \d+ module\(s\) in eval mode at the start of training",
)
"""How warnings begin that nobody can do anything about."""


class ReasonRFTCLI(LightningCLI):
    """LightningCLI whose one source of truth is the configuration."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--policy", type=str | None, help="Starting model, as ${policy}.")
        parser.add_argument("--endpoint", type=str | None, help="URL that answers, as ${endpoint}.")
        add_image_flags(parser)

    def before_instantiate_classes(self) -> None:
        set_image_flags(self.config[self.subcommand], str(self.subcommand))

    def _check_checkpoint(self) -> None:
        chosen = self.config[self.subcommand]
        check_last_checkpoint(self.trainer, str(self.subcommand), chosen.ckpt_path)

    before_fit = before_validate = before_test = before_predict = _check_checkpoint

    def _parse_ckpt_path(self) -> None:
        """Keep a checkpoint's hyper-parameters from overriding the configuration."""


def run(args: Sequence[str] | None) -> ReasonRFTCLI:
    """Run a training command; bad input is one sentence and exit code 1."""
    for beginning in NOISE:
        warnings.filterwarnings("ignore", message=beginning)
    try:
        return _run(args)
    except (BadInput, MisconfigurationException) as error:
        print(f"reasonrft: {error}", file=sys.stderr)
        raise SystemExit(1) from error


def _run(args: Sequence[str] | None) -> ReasonRFTCLI:
    return ReasonRFTCLI(
        LightningModule,
        LightningDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        # Otherwise the optimizer is built before configure_model has created any parameter.
        auto_configure_optimizers=False,
        seed_everything_default=0,
        parser_kwargs={"parser_mode": "omegaconf+", "prog": "reasonrft"},
        # Without a logger it is written where the command runs: not over a config.yaml there.
        parser_class=OneSentenceParser,
        save_config_kwargs={"overwrite": True, "config_filename": "run_config.yaml"},
        args=None if args is None else list(args),
    )
