"""A study is killed, damaged, mended and ended, by the command itself."""

import csv
import json
import shlex
from pathlib import Path

import pytest
import yaml

from tests.cli.running import stopped
from tests.starting import Started

OPTIONS = {
    "data.source.val": 2,
    "data.source.test": 2,
    "data.source.workers": 1,
    "data.batch_size": 2,
    "model.answer_tokens": 2,
    "trainer.accelerator": "cpu",
}
STUDY = {
    "name": "small",
    "folder": "study",
    "problems": 8,
    "chains": 0.5,
    "seeds": [0],
    "shares": ["1/2"],
    "shared": ["cot-sft"],
    "validations": 2,
    "options": OPTIONS,
    "tasks": {"counting": {}},
    "paradigms": {
        "cot-sft": {"trainer.max_steps": 2, "trainer.max_epochs": -1},
        "rft": {"trainer.max_steps": 24, "model.group_size": 2, "model.sampling.max_tokens": 4},
        "cot-sft-compute": {},
    },
}


class Home:
    """The folder of a study and of its command."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.starts = folder, 0
        self.write(STUDY)
        self.command = ["study", "--config", str(folder / "study.yaml")]
        self.command += ["--folder", str(folder / "study")]

    def write(self, config: dict) -> None:
        (self.folder / "study.yaml").write_text(yaml.safe_dump(config))

    def start(self) -> Started:
        self.starts += 1
        said = self.folder / f"start-{self.starts}"
        said.mkdir()
        # Each of two jobs has one core, which other tests leave it.
        return Started([*self.command, "--jobs", "2"], said)

    def cell(self, row: str) -> dict:
        path = self.folder / f"study/cells/counting/{row}/seed-0/cell.json"
        return json.loads(path.read_text())

    def of_rft(self, name: str) -> Path:
        return self.folder / "study/cells/counting/rft/seed-0" / name


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Home:
    return Home(tmp_path_factory.mktemp("study"))


def test_a_study_that_is_ended_goes_on_where_it_was(home):
    with home.start() as first:
        # Metrics are written every ten steps: the second stage of rft is under way.
        first.wait_for(
            lambda: (
                first.has_printed("cot-sft seed 0: id")
                and home.of_rft("csv/version_0/metrics.csv").exists()
            )
        )
        first.send(15)
        code, said = first.end()
    assert code == 143 and "the same command goes on with it" in said
    assert home.cell("cot-sft")["state"] == "done"
    rft = home.cell("rft")
    assert rft["state"] == "waiting" and list(rft["seconds"]) == ["stage-1"]
    assert rft["unfinished"] > 0

    # A cell that fails does not keep the others from being run, but for those that need it.
    last = home.of_rft("checkpoints/last.ckpt")
    whole = last.read_bytes()
    last.write_bytes(whole[:1000])
    with home.start() as second:
        code, said = second.end()
    printed = second.printed.read_text()
    assert code == 1, said
    assert "counting cot-sft seed 0: begins" not in printed
    failed = next(line for line in printed.splitlines() if "rft seed 0: failed" in line)
    assert "last.ckpt" in failed and failed.endswith("rft/seed-0/log.txt")
    assert "compute seed 0: failed: it is trained for as long as counting rft seed 0" in printed
    assert home.cell("cot-sft-1-of-2")["state"] == "done"

    last.write_bytes(whole)
    third = home.start()
    printed = third.result()
    assert "counting cot-sft-1-of-2 seed 0: begins" not in printed
    assert "goes on from" not in printed and "cell 3 of 4, counting cot-sft-compute" in printed
    assert "of them done" in home.of_rft("log.txt").read_text(), "it began anew"


def test_its_cells_say_what_they_did(home):
    study = json.loads((home.folder / "study/study.json").read_text())
    assert [cell["state"] for cell in study["cells"]] == ["done"] * 4
    assert study["cells"][1] == home.cell("rft")
    rft, matched, half = (home.cell(row) for row in ("rft", "cot-sft-compute", "cot-sft-1-of-2"))
    assert [args[0] for args in rft["commands"]] == ["fit", "fit", "test"]
    assert list(rft["seconds"]) == ["stage-1", "fit", "test"]
    # Stage 1 is two batches of the four problems with chains, stage 2 is 24 of the others.
    assert (rft["steps"], rft["samples"]) == (26, 8)
    assert rft["chosen"]["step"] in (12, 24) and rft["chosen"]["checkpoint"] == "best.ckpt"
    assert (half["steps"], half["samples"]) == (2, 4)
    # As much compute, but for the last step.
    tokens = [cell["compute"]["tokens"] for cell in (rft, matched)]
    assert tokens[0] == pytest.approx(tokens[1], rel=0.1) and matched["steps"] > 4
    assert matched["samples"] == 8


def test_its_table_has_each_cell_with_images_blind_and_swapped(home):
    with (home.folder / "study/table.csv").open() as file:
        rows = list(csv.DictReader(file))
    names = {row["row"] for row in rows}
    assert names == {"cot-sft", "rft", "cot-sft-compute", "cot-sft-1-of-2"}
    assert {row["images"] for row in rows} == {"images", "blind", "swapped"}
    assert all(float(r["low"]) <= float(r["mean"]) <= float(r["high"]) for r in rows)
    text = (home.folder / "study/table.md").read_text()
    assert "| rft, counting: ID |" in text and "Visual counting: compute" in text


def test_no_test_was_looked_at_in_training(home):
    for path in (home.folder / "study/cells").rglob("run_config.yaml"):
        assert not (path.parent / "summary.json").exists()
    logs = [path.read_text() for path in (home.folder / "study/cells").rglob("log.txt")]
    assert len(logs) == 4 and not any("splits before training" in log for log in logs)


def test_only_what_was_tested_is_kept(home):
    kept = (home.folder / "study/cells").rglob("*.ckpt")
    assert {path.name for path in kept} == {"best.ckpt"}


def test_a_changed_study_is_refused(home, capsys):
    changes = {"problems": 9, "seeds": [1], "paradigms": {"cot-sft": {}}}
    for key, value in changes.items():
        home.write(STUDY | {key: value})
        said = stopped(capsys, shlex.join(home.command))
        assert f"holds cells of another study, for {key} has changed" in said
