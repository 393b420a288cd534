"""`iterate`: rounds of distillation, fine-tuning and reinforcement."""

import shlex
from collections.abc import Sequence

from reasonrft.cli.child_runs import alone
from reasonrft.cli.config_files import with_config_paths
from reasonrft.cli.exit_codes import exit_code
from reasonrft.cli.interrupts import ended_by_signals
from reasonrft.cli.one_sentence import OneSentenceParser
from reasonrft.cli.quiet import silence
from reasonrft.iteration.iteration_config import Iteration, check
from reasonrft.iteration.round_table import write_table
from reasonrft.iteration.run_iteration import IterationRun, read_stages
from reasonrft.iteration.stages import Stage, prepare, stages_of
from reasonrft.study.forked_calls import preload


def run_iterate(args: Sequence[str]) -> int:
    """`iterate --config FILE ...`; returns the exit code."""
    silence()
    with ended_by_signals():
        return exit_code(_iterate, args)


def _iterate(args: Sequence[str]) -> int:
    given = _parser().parse_args(with_config_paths(args)).as_dict()
    dry_run = given.pop("dry_run")
    del given["config"]
    iteration = Iteration(**given)
    check(iteration)
    stages = read_stages(iteration, stages_of(iteration))
    preload(iteration.policy)
    prepare(iteration, stages)
    if dry_run:
        for stage in stages:
            print(shlex.join(["python", "-m", "reasonrft", *stage.command]))
        return 0
    iteration.home.mkdir(parents=True, exist_ok=True)
    with alone(iteration.home, "iteration"):
        return _run(iteration, stages)


def _parser() -> OneSentenceParser:
    parser = OneSentenceParser(
        prog="reasonrft iterate",
        description="Rounds of sampling, fine-tuning on what was right, and reinforcement.",
    )
    parser.add_argument("--config", action="config", help="What is run; repeatable.")
    parser.add_class_arguments(Iteration, None)
    add = parser.add_argument
    add("--dry-run", action="store_true", help="Print the commands of all stages, and run none.")
    return parser


def _run(iteration: Iteration, stages: list[Stage]) -> int:
    code = 1
    try:
        code = IterationRun(iteration, stages).run()
    finally:
        if any(stage.done for stage in stages):
            table = write_table(iteration.home, stages)
    if not code:
        print(f"\n{table}\n\n{iteration.home / 'table.md'}", flush=True)
    return code
