"""A command of this package in a process of its own, without importing everything again."""

import multiprocessing
import shlex
import sys
from pathlib import Path

import reasonrft.cli.training_cli  # noqa: F401  for the processes that are forked from this one
from reasonrft.cli import main


def run_forked(args: list[str]) -> None:
    """Run `reasonrft ARGS` after having said so; nothing may be computed here before."""
    print(f"$ reasonrft {shlex.join(args)}", file=sys.stderr, flush=True)
    process = multiprocessing.get_context("fork").Process(target=_run, args=(args,))
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(process.exitcode)


def _run(args: list[str]) -> None:
    # From which other ranks are started.
    sys.argv = [str(Path(sys.executable).with_name("reasonrft")), *args]
    main(args)
