"""`study`: the paper's table, run whole."""

from collections.abc import Sequence
from dataclasses import asdict

from reasonrft.cli.child_runs import alone
from reasonrft.cli.config_files import with_config_paths
from reasonrft.cli.exit_codes import exit_code
from reasonrft.cli.interrupts import ended_by_signals
from reasonrft.cli.one_sentence import OneSentenceParser
from reasonrft.cli.quiet import silence
from reasonrft.errors import BadInput
from reasonrft.study.cells import cells_of, check_config, read_cell
from reasonrft.study.dry_run import show_runs
from reasonrft.study.forked_calls import preload
from reasonrft.study.lengths import Lengths, lengths_of
from reasonrft.study.run_study import StudyRun
from reasonrft.study.study_config import Expected, Study, check
from reasonrft.study.study_table import write_table


def run_study(args: Sequence[str]) -> int:
    """`study --config FILE ...`; returns the exit code."""
    silence()
    with ended_by_signals():
        return exit_code(_study, args)


def _study(args: Sequence[str]) -> int:
    given = _parser().parse_args(with_config_paths(args)).as_dict()
    dry_run, jobs = given.pop("dry_run"), given.pop("jobs")
    del given["config"]
    study = Study(**{**given, "expected": Expected(**given["expected"])})
    check(study)
    if jobs < 1:
        raise BadInput(f"--jobs is {jobs}: use at least 1")
    check_config(study.home, asdict(study))
    preload(study.policy)
    lengths = lengths_of(study)
    if dry_run:
        print(show_runs(study, lengths), end="")
        return 0
    study.home.mkdir(parents=True, exist_ok=True)
    with alone(study.home, "study"):
        return _run(study, lengths, jobs)


def _parser() -> OneSentenceParser:
    parser = OneSentenceParser(
        prog="reasonrft study",
        description="Train and test paradigms on tasks, with seeds, and print the paper's table.",
    )
    parser.add_argument("--config", action="config", help="What is run; repeatable.")
    parser.add_class_arguments(Study, None)
    add = parser.add_argument
    add("--jobs", type=int, default=1, help="Cells that run side by side.")
    add("--dry-run", action="store_true", help="Print what would be run, with time and memory.")
    return parser


def _run(study: Study, lengths: Lengths, jobs: int) -> int:
    cells = [read_cell(cell, study.home) for cell in cells_of(study)]
    code = StudyRun(study, asdict(study), cells, lengths, jobs).run()
    table = write_table(study.home, cells)
    if code < 128:  # not ended by a signal
        print(f"\n{table}\n{study.home / 'table.csv'}", flush=True)
    return code
