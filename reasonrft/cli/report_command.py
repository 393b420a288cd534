"""`report`: runs, studies and other tools' predictions compared on one page."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from reasonrft.cli.exit_codes import exit_code
from reasonrft.errors import BadInput, printable
from reasonrft.report.comparison import compare
from reasonrft.report.found_runs import Run, find_runs
from reasonrft.report.prediction_rows import (
    Questions,
    questions_of_file,
    questions_of_runs,
    read_predictions,
)
from reasonrft.report.write_files import write_report_files


def run_report(args: Sequence[str]) -> int:
    """`report RUN ...`; returns the exit code."""
    chosen = _parser().parse_args(list(args))
    return exit_code(_report, chosen, shlex.join(["python", "-m", "reasonrft", "report", *args]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reasonrft report",
        description="Compare runs on one page: accuracy with intervals, gaps, curves and answers.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("runs", nargs="*", metavar="RUN", help="folder of a study, or of runs of fit and test")
    add("--output", metavar="FOLDER", help="for the report; if not given, RUN/report of the first")
    add(
        "--predictions",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="another tool's predictions: JSONL or JSON with id or index, and completion",
    )
    add("--against", metavar="FILE", help="the problems that predictions answer; else the runs'")
    add("--measure", choices=("strict", "official"), default="strict", help="of gaps and charts")
    add(
        "--problems",
        type=int,
        default=24,
        metavar="N",
        help="most problems whose answers are shown",
    )
    return parser


def _report(chosen: argparse.Namespace, command: str) -> int:
    if not chosen.runs and not chosen.predictions:
        raise BadInput("report needs the folder of a study or of a run, or --predictions NAME=FILE")
    if chosen.problems < 0:
        raise BadInput(f"--problems must be at least 0, not {chosen.problems}")
    runs, studies = find_runs([Path(run) for run in chosen.runs])
    predictions = _predictions(chosen, runs)
    compared = compare(runs, predictions, studies, chosen.measure)
    for note in compared.notes:
        print(printable(note))
    page = write_report_files(compared, _output(chosen), chosen.problems, command)
    print(f"report: {page}")
    return 0


def _predictions(chosen: argparse.Namespace, runs: Sequence[Run]) -> list[Run]:
    if not chosen.predictions:
        return []
    questions: Questions = questions_of_runs(runs)
    if chosen.against:
        questions = questions_of_file(Path(chosen.against), questions)
    found: dict[str, Run] = {}
    for given in chosen.predictions:
        name, equals, file = given.partition("=")
        if not equals:
            name, file = Path(given).stem, given
        if not questions:
            raise BadInput(
                f"{file}: the runs kept no answers that say what was asked: give the problems "
                "with --against FILE"
            )
        if name in found or name in {run.name for run in runs}:
            raise BadInput(f"--predictions {name}=...: there is a row {name} already")
        found[name] = read_predictions(name, Path(file), questions)
    return list(found.values())


def _output(chosen: argparse.Namespace) -> Path:
    if chosen.output:
        return Path(chosen.output)
    return Path(chosen.runs[0]) / "report" if chosen.runs else Path("report")
