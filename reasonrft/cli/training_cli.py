"""The training commands, on LightningCLI."""

import sys
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from jsonargparse import set_parsing_settings
from jsonargparse._actions import _ActionPrintConfig
from jsonargparse._common import parser_context
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities.exceptions import MisconfigurationException, SIGTERMException

# Imported classes can be named in YAML without their module.
import reasonrft.callbacks
import reasonrft.datamodules
import reasonrft.distributed.sharding_strategy
import reasonrft.losses
import reasonrft.modules
import reasonrft.rewards.reasoning_reflection
import reasonrft.rollout
import reasonrft.tasks  # noqa: F401
from reasonrft.cli.config_files import config_names, with_config_paths
from reasonrft.cli.evaluation_options import (
    add_image_flags,
    last_checkpoint,
    set_image_flags,
)
from reasonrft.cli.fit_summary import FitSummary
from reasonrft.cli.interrupts import ended_by_signals
from reasonrft.cli.one_sentence import OneSentenceParser
from reasonrft.cli.preemption import Preemption, QuietSignals, WholeFitLoop, requeued
from reasonrft.cli.problem_options import joined_flags, use_own_problems
from reasonrft.cli.quiet import silence
from reasonrft.cli.run_defaults import TRAINER_DEFAULTS, complete
from reasonrft.cli.run_folder import locked
from reasonrft.cli.run_manifest import RunManifest
from reasonrft.errors import BadInput, Stopped, printable
from reasonrft.planning.out_of_memory import explained

# Lets `${seed_everything}` mean the key of this subcommand, whose real root is `fit`.
set_parsing_settings(omegaconf_absolute_to_relative_paths=True)

Names = list[str] | str | None


class ReasonRFTCLI(LightningCLI):
    """LightningCLI whose one source of truth is the configuration, completed by defaults."""

    def __init__(self, *args: Any, **options: Any) -> None:
        given = options.get("args")
        self._asked = (sys.argv[1:] if given is None else given)[:1]
        super().__init__(*args, **options)

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]  # knows what is asked
        """The command that is asked for: to set up the parsers of all takes as long as to parse."""
        known = LightningCLI.subcommands()
        return {name: known[name] for name in self._asked if name in known} or known

    def add_core_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_lightning_class_args(self.trainer_class, "trainer")
        parser.set_defaults({f"trainer.{key}": value for key, value in TRAINER_DEFAULTS.items()})
        parser.add_lightning_class_args(LightningModule, "model", subclass_mode=True)
        # Not required: --problems makes one.
        parser.add_lightning_class_args(
            LightningDataModule, "data", subclass_mode=True, required=False
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        add = parser.add_argument
        add("--policy", type=str | None, help="Starting model, as ${policy}.")
        add("--problems", type=Names, help="Problems of your own to train on; repeatable.")
        add("--test_problems", type=Names, help="Problems of your own to test on; repeatable.")
        add("--name", type=str | None, help="Name of the run: it writes to outputs/NAME/TASK.")
        add("--endpoint", type=str | None, help="URL that answers, as ${endpoint}.")
        add(
            "--resume_changed",
            type=bool,
            default=False,
            help="Go on from a checkpoint of a run that was configured otherwise.",
        )
        add_image_flags(parser)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse what was given, as it was given; then all, with what complete() adds to it."""
        args = joined_flags(with_config_paths(sys.argv[1:] if args is None else args))
        with parser_context(lenient_check=True), _ActionPrintConfig.skip_print_config():
            given = parser.parse_args(args, defaults=False).as_dict()
        command = given["subcommand"]
        chosen = given[command] = given.get(command) or {}
        chosen.pop("config", None)
        # Lightning would unpickle a checkpoint that it is given by its address.
        chosen["weights_only"] = True
        use_own_problems(chosen)
        complete(chosen, command, config_names(args))
        self.config = parser.parse_object(given)

    def before_instantiate_classes(self) -> None:
        set_image_flags(self.config[self.subcommand], str(self.subcommand))

    def _check_checkpoint(self) -> None:
        command = str(self.subcommand)
        path = self.config[command].ckpt_path
        self.config_init[command].ckpt_path = last_checkpoint(self.trainer, command, path)

    before_fit = before_validate = before_test = before_predict = _check_checkpoint

    def _run_subcommand(self, subcommand: str) -> None:
        with explained(self.trainer):
            super()._run_subcommand(subcommand)

    def _parse_ckpt_path(self) -> None:
        """Keep a checkpoint's hyper-parameters from overriding the configuration."""

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        try:
            trainer = super().instantiate_trainer(**kwargs)
        except (ValueError, TypeError, MisconfigurationException) as error:
            raise BadInput(f"trainer: {' '.join(str(error).split())}") from error
        trainer._signal_connector = QuietSignals(trainer)
        trainer.fit_loop = WholeFitLoop.of(trainer)
        return trainer

    def fit(self, **options: Any) -> None:
        """Train, while no other run may train into the same folder."""
        preemption = Preemption()
        manifest = RunManifest(self._plain_config(), self.config.fit.resume_changed)
        first = [FitSummary(), manifest, preemption]
        self.trainer.callbacks[:0] = first  # type: ignore[attr-defined]
        if requeued() and options.get("ckpt_path") is None:
            options["ckpt_path"] = "last"
        with locked(Path(self.trainer.default_root_dir)):
            try:
                self.trainer.fit(**options)
            except (SIGTERMException, Stopped):
                raise preemption.ending(self.trainer) from None
            except (BadInput, RuntimeError) as error:
                if sentence := preemption.explain(error):
                    raise sentence from error
                raise

    def _plain_config(self) -> dict[str, Any]:
        """The command's configuration as it stands in run_config.yaml."""
        self._dump_config()  # as modules are made with it: nothing is put into words twice
        return deepcopy(self.config_dump)


def run(args: Sequence[str] | None) -> ReasonRFTCLI:
    """Run a training command; bad input is one sentence and exit code 1."""
    silence()
    try:
        with ended_by_signals():
            return command_line(args)
    except (BadInput, MisconfigurationException, OSError) as error:
        print(f"reasonrft: {printable(str(error))}", file=sys.stderr)
        raise SystemExit(1) from error


def command_line(
    args: Sequence[str] | None, cli: type[ReasonRFTCLI] = ReasonRFTCLI
) -> ReasonRFTCLI:
    """A command line's objects, made as its configuration says, and its command run."""
    return cli(
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
