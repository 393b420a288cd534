"""`python -m reasonrft`: training on LightningCLI, the other commands on plain functions.

Torch and Lightning are imported only where something is trained.
"""

import importlib
import os
import sys
from collections.abc import Sequence

from reasonrft import __version__

TRAINING = {
    "fit": "train a module on a datamodule",
    "validate": "evaluate on the validation split",
    "test": "evaluate on the test splits",
    "predict": "write the model's answers",
}
OTHERS = {
    "ask": ("ask_command", "ask a model about images, in the terminal"),
    "data": ("data_commands", "validate, preview, convert or build a data set"),
    "distill": ("distill_command", "sample answers, and keep those that are to be learned from"),
    "iterate": ("iterate_command", "rounds of distill, fine-tuning and reinforcement"),
    "plan": ("plan_command", "predict the memory that fit will take on each device"),
    "report": ("report_command", "compare runs, studies and others' predictions on one page"),
    "score": ("data_commands", "judge completions with a reward, a scorer or a task of your own"),
    "study": ("study_command", "train and test paradigms on tasks, and print the paper's table"),
    "sweep": ("sweep_command", "train with several values of keys, and compare them on validation"),
}
"""The module of each, whose function run_NAME returns the exit code, and what it does."""
USAGE = f"""\
usage: reasonrft COMMAND [options]

Reinforcement fine-tuning for visual reasoning (Reason-RFT), version {__version__}.

training, on LightningCLI (--config FILE, repeatable; later files and options win;
--problems FILE, to train on problems of your own):
{{training}}

other commands:
{{others}}

options:
  -h, --help  show this message; COMMAND --help shows the command's options
  --version   show the version
""".format(
    training="\n".join(f"  {name:9} {text}" for name, text in TRAINING.items()),
    others="\n".join(f"  {name:9} {text}" for name, (_, text) in OTHERS.items()),
)


def main(args: Sequence[str] | None = None) -> None:
    """Run one command; leave by SystemExit with its exit code if that is not 0."""
    arguments = list(sys.argv[1:] if args is None else args)
    # A user's own classes live where the command is run, also for the installed script.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    command = arguments[0] if arguments else "--help"
    if command in ("-h", "--help"):
        print(USAGE, end="")
    elif command == "--version":
        print(__version__)
    elif command in TRAINING:
        from reasonrft.cli.training_cli import run

        # Lightning reads the command line itself, and starts more processes with it.
        run(None if args is None else arguments)
    elif command in OTHERS:
        module = importlib.import_module(f"reasonrft.cli.{OTHERS[command][0]}")
        if code := getattr(module, f"run_{command}")(arguments[1:]):
            raise SystemExit(code)
    else:
        commands = ", ".join([*TRAINING, *OTHERS])
        print(f"reasonrft: no command {command!r}: use {commands}", file=sys.stderr)
        raise SystemExit(2)
