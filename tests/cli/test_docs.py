"""What documentation says holds: links lead somewhere, and its commands run."""

import json
import logging
import re
import shutil
from pathlib import Path

import pytest

from reasonrft.policy.hub_paths import ASSETS
from tests.cli.docs_commands import (
    NOT_RUN,
    PAGES,
    PARSED_ONLY,
    ROOT,
    commands_in,
    reason,
    run_small,
    write_files,
)
from tests.cli.own_records import draw_images, write_json
from tests.report.folders import write_named_runs

BLOCKS = {page: list(commands_in(page.read_text())) for page in PAGES}


def test_the_tests_that_keep_traps_away_are_there():
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", (ROOT / "docs/traps.md").read_text())
    assert len(named) > 30
    for path, name in named:
        assert f"def {name}(" in (ROOT / "tests" / path).read_text(), f"{path}::{name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    for link in links:
        if "://" not in link:
            assert (page.parent / link).exists(), link


def test_no_reason_not_to_run_a_command_is_left_over():
    commands = [command for commands in BLOCKS.values() for command in commands]
    assert len(commands) > 30
    for part in NOT_RUN | PARSED_ONLY:
        assert any(reason(command, {part: part}) for command in commands), part


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with the files that documentation takes to be there."""
    monkeypatch.chdir(tmp_path)
    # Handlers of other libraries write where a test before was captured.
    monkeypatch.setattr(logging, "raiseExceptions", False)
    # Classes that a page before has put into files of the same names.
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("own/train.json", "path/to/dataset/train.json"):
        rows = json.loads(write_json((tmp_path / name).parent, 12).read_text())
    (tmp_path / "own/test.json").write_text(json.dumps(rows[:4]))
    write_references(tmp_path / "refs")
    write_named_runs(tmp_path)
    told = [row | {"image": f"own/{row['image']}", "cot": "I count them."} for row in rows]
    (tmp_path / "meta.json").write_text(json.dumps(told))
    shutil.copytree(ASSETS / "tiny", tmp_path / "outputs/sft/counting/policy")
    # README names the reward that this page shows.
    write_files((ROOT / "docs/rewards.md").read_text(), tmp_path)
    scored = [{"completion": "<answer>3</answer>", "solution": "3", "tokens": 7}] * 2
    lines = "".join(json.dumps(row) + "\n" for row in scored)
    for name in ("rows", "moves", "predictions"):
        (tmp_path / f"{name}.jsonl").write_text(lines)
    return tmp_path


def write_references(home: Path) -> None:
    """Boxes in images, as VLM-R1 writes them."""
    asked = "<image>Please provide the bounding box coordinate of the region: the first square."
    said = [{"from": "human", "value": asked}, {"from": "gpt", "value": "[0, 20, 7, 31]"}]
    images = [row["image"] for row in draw_images(home / "images", 12)]
    lines = [{"image": image, "conversations": said} for image in images]
    (home / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", [page for page in PAGES if BLOCKS[page]], ids=lambda p: p.name)
def test_commands_run(page, folder, capfd):
    write_files(page.read_text(), folder)
    for command in BLOCKS[page]:
        if reason(command, NOT_RUN):
            continue
        try:
            run_small(command)
        except SystemExit as stop:
            assert not stop.code, f"{' '.join(command)}\n{capfd.readouterr().err}"
