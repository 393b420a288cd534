"""Two rounds are run, killed, and run again, by the command itself."""

import json
import signal
from pathlib import Path

import pytest
import yaml

from tests.starting import Started

ITERATION = {
    "name": "small",
    "rounds": 2,
    "options": {
        "data.source.levels": [1],
        "data.source.train": 8,
        "data.source.val": 4,
        "data.source.test": 0,
        "data.source.workers": 1,
        "data.batch_size": 4,
        "model.answer_tokens": 80,
        "trainer.accelerator": "cpu",
    },
    "distill": {"samples": 4, "max_tokens": 80, "blind": False},
    "sft": {"trainer.max_steps": 2, "trainer.max_epochs": -1},
    "grpo": {
        "trainer.max_steps": 2,
        "model.group_size": 2,
        "model.sampling.max_tokens": 4,
        "data.batch_size": 2,
    },
}


LIMIT = 600
"""Seconds for all rounds, which take some fifteen."""


class Home:
    """The folder of an iteration and of its command."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        folder.joinpath(name).mkdir(exist_ok=True)
        options = {**ITERATION["options"], "data.source.folder": str(folder / "drawn")}
        given = {**ITERATION, "name": name, "options": options}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(given))

    def start(self, *args: str) -> Started:
        configs = ["recipes/iterate.yaml", f"../{self.name}.yaml"]
        command = ["iterate", *(f"--config={config}" for config in configs), *args]
        return Started(command, self.folder / self.name)

    @property
    def results(self) -> Path:
        return self.folder / self.name / "outputs/iterate" / self.name

    def done(self) -> list[str]:
        stages = json.loads((self.results / "iteration.json").read_text())["stages"]
        return [f"{stage['round']} {stage['name']}" for stage in stages if stage["done"]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Home:
    home = Home(tmp_path_factory.mktemp("iterations"), "whole")
    home.start().result(LIMIT)
    return home


def test_a_round_is_sampled_tuned_reinforced_and_measured(whole):
    names = ["distill", "sft", "grpo", "validate"]
    rounds = [f"{number} {name}" for number in (1, 2) for name in names]
    assert whole.done() == ["0 validate", *rounds]
    head, _, base, first, second = (whole.results / "table.md").read_text().splitlines()
    assert head.startswith("| round | right | by luck | chains |")
    assert base.startswith("| 0 (base) |  |  |  |  | ") and base.count("%") == 1
    assert first.startswith("| 1 |") and second.startswith("| 2 |")
    report = json.loads((whole.results / "round-1/distill/chains.report.json").read_text())
    assert f" {report['kept']} of {report['problems_kept']} problems " in first


def test_a_killed_iteration_goes_on_to_the_same_table(whole):
    home = Home(whole.folder, "killed")
    with home.start("--rounds", "1") as first:
        first.wait_for(lambda: first.has_printed("round 1, sft: done"))
        first.send(signal.SIGKILL)
        first.end()
    assert home.done()[-1] == "1 sft" and not (home.results / "table.md").exists()
    printed = home.start("--rounds", "1").result(LIMIT)
    assert "round 1, sft" not in printed and "round 1, grpo: done" in printed
    assert home.done() == whole.done()[:5]
    table = (home.results / "table.md").read_text()
    *same, _ = (whole.results / "table.md").read_text().splitlines(keepends=True)
    assert table == "".join(same) and table in printed


def test_another_configuration_is_refused_and_more_rounds_are_not(whole):
    with whole.start("--chains", "last", "--dry-run") as started:
        code, said = started.end()
    assert code == 1 and "for chains has changed: give this one another name" in said
    printed = whole.start("--rounds", "3", "--dry-run").result()
    assert printed.count("reasonrft distill") == 3
