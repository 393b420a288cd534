"""The command line: training on LightningCLI, data and rewards on plain functions."""

from reasonrft.cli.command_line import main

__all__ = ["main"]
