"""`python -m reasonrft`: training on LightningCLI, the other commands on plain functions.

Torch and Lightning are imported only where something is trained.
"""

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
USAGE = f"""\
usage: reasonrft COMMAND [options]

Reinforcement fine-tuning for visual reasoning (Reason-RFT), version {__version__}.

training, on LightningCLI (--config FILE, repeatable; later files and options win;
--problems FILE, to train on problems of your own):
{{training}}

other commands:
  ask       ask a model about images, in the terminal
  data      validate, preview, convert or build a data set
  plan      predict the memory that fit will take on each device
  score     judge completions with a reward, a scorer or a task of your own
  study     train and test paradigms on tasks with seeds, and print the paper's table

options:
  -h, --help  show this message; COMMAND --help shows the command's options
  --version   show the version
""".format(training="\n".join(f"  {name:9} {text}" for name, text in TRAINING.items()))


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
    elif command in ("data", "score"):
        from reasonrft.cli.data_commands import run_data, run_score

        code = run_data(arguments[1:]) if command == "data" else run_score(arguments[1:])
        _leave(code)
    elif command == "ask":
        from reasonrft.cli.ask_command import run_ask

        _leave(run_ask(arguments[1:]))
    elif command == "plan":
        from reasonrft.cli.plan_command import run_plan

        _leave(run_plan(arguments[1:]))
    elif command == "study":
        from reasonrft.cli.study_command import run_study

        _leave(run_study(arguments[1:]))
    else:
        commands = ", ".join([*TRAINING, "ask", "data", "plan", "score", "study"])
        print(f"reasonrft: no command {command!r}: use {commands}", file=sys.stderr)
        raise SystemExit(2)


def _leave(code: int) -> None:
    if code:
        raise SystemExit(code)
