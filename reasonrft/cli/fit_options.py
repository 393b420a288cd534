"""Options of `fit` as its command line has them, and the configuration that they make."""

import io
import json
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from typing import TYPE_CHECKING, Any

from reasonrft.errors import BadInput

if TYPE_CHECKING:
    from reasonrft.cli.training_cli import ReasonRFTCLI


def as_options(values: Mapping[str, Any]) -> list[str]:
    """Values as they stand on a command line."""
    return [f"--{key}={shown(value)}" for key, value in values.items()]


def shown(value: Any) -> str:
    """A value as `fit` takes it."""
    return value if isinstance(value, str) else json.dumps(value)


def made(args: Sequence[str]) -> "ReasonRFTCLI":
    """A command line with the module and the datamodule that it makes; there is no trainer."""
    from lightning.pytorch import Trainer

    from reasonrft.cli.training_cli import ReasonRFTCLI, command_line

    class MadeCLI(ReasonRFTCLI):
        def instantiate_trainer(self, **kwargs: Any) -> Trainer:
            return None  # type: ignore[return-value]

        def _run_subcommand(self, subcommand: str) -> None:
            """Nothing is trained."""

    return command_line(args, MadeCLI)


def parsed_config(args: Sequence[str]) -> dict[str, Any]:
    """The whole configuration of a command, of which nothing is made; `BadInput` for none."""
    from reasonrft.cli.training_cli import ReasonRFTCLI, command_line

    class ParsedCLI(ReasonRFTCLI):
        def instantiate_classes(self) -> None:
            """Nothing is made."""

        def _run_subcommand(self, subcommand: str) -> None:
            """Nothing is trained."""

    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return command_line(args, ParsedCLI)._plain_config()
    except SystemExit as stop:
        raise BadInput(said.getvalue().strip().rpartition("reasonrft: ")[2]) from stop
