"""The stages of an iteration, one after the other, across interruptions."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reasonrft.cli.child_runs import ChildRun, ChildRuns
from reasonrft.durations import spoken
from reasonrft.errors import BadInput, printable
from reasonrft.files import Staging
from reasonrft.iteration.iteration_config import TRAINING, Iteration
from reasonrft.iteration.stages import Stage

FILE = "iteration.json"
ADDITIONS = ("rounds", "folder")
"""Keys that may change: more rounds may follow."""


class IterationRun:
    """Runs what is not done yet, and writes down what is."""

    def __init__(self, iteration: Iteration, stages: Sequence[Stage]) -> None:
        self.iteration, self.stages = iteration, list(stages)
        self.home = iteration.home

    def run(self) -> int:
        """The exit code: 1 where a stage has failed, on which all that follow depend."""
        with ChildRuns() as children:
            for stage in self.stages:
                if not stage.done and not self._end_well(children, stage):
                    return 1
        return 0

    def _end_well(self, children: ChildRuns, stage: Stage) -> bool:
        self._write()
        print(f"{stage.title}: begins", flush=True)
        log = self.home / stage.folder / "log.txt"
        child = children.run(stage.command, log)
        if child.exit_code:
            words = printable(child.last_words)
            print(f"{stage.title}: failed: {words}; its log is {log}", flush=True)
            return False
        self._keep(stage, child)
        return True

    def _keep(self, stage: Stage, child: ChildRun) -> None:
        """What has ended well is not run again; its checkpoints are not gone on from."""
        stage.done, stage.seconds = True, round(child.seconds, 2)
        self._write()
        if stage.name in TRAINING:
            shutil.rmtree(self.home / stage.folder / "checkpoints", ignore_errors=True)
        print(f"{stage.title}: done in {spoken(stage.seconds)}", flush=True)

    def _write(self) -> None:
        content = {
            "config": asdict(self.iteration),
            "stages": [asdict(stage) for stage in self.stages],
        }
        with Staging() as staging:
            staging.write(self.home / FILE, (json.dumps(content, indent=1) + "\n").encode())


def read_stages(iteration: Iteration, stages: Sequence[Stage]) -> list[Stage]:
    """The stages as the iteration's file has them, if there is one; another's is a `BadInput`."""
    path = iteration.home / FILE
    if not path.exists():
        return list(stages)
    try:
        content = json.loads(path.read_bytes())
        before, read = content["config"], [Stage(**stage) for stage in content["stages"]]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} is not an iteration: delete its folder ({error})") from error
    _check_same(iteration.home, before, json.loads(json.dumps(asdict(iteration))))
    known = {(stage.round, stage.name): stage for stage in read}
    return [known.get((stage.round, stage.name), stage) for stage in stages]


def _check_same(home: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for key in sorted(before.keys() | now.keys()):
        if key not in ADDITIONS and before.get(key) != now.get(key):
            raise BadInput(
                f"{home} holds rounds of another iteration, for {key} has changed: give this one "
                "another name (only rounds may change)"
            )
