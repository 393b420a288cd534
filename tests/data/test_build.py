import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from reasonrft.cli import main
from reasonrft.data import build, validate
from reasonrft.errors import BadInput
from reasonrft.readers import load_problems
from reasonrft.worlds import make_world

SIZE = 260


def digest(folder) -> dict[str, str]:
    """Every file of a folder by its content."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert build("counting", "train", SIZE, str(folder), preset="tiny", workers=2) == 0
    return folder


def test_what_is_built_is_the_world_in_the_releases_layout(whole):
    rows = json.loads((whole / "counting-train.json").read_text())
    world = make_world("counting", "tiny")
    assert len(rows) == SIZE
    for index in (0, 49, 50, SIZE - 1):
        problem = world.problem("train", index)
        assert rows[index]["problem"] == problem.question
        assert rows[index]["answer"] == problem.answer
        assert rows[index]["cot"] == problem.cot
        assert (whole / rows[index]["image"]).read_bytes() == problem.images[0]


def test_what_is_built_validates_and_its_answers_are_derived_again(whole, capsys):
    assert validate(str(whole), json=True) == 0
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert report == {"records": SIZE, "faults": 0, "rederived": SIZE, "agreed": SIZE}


def test_the_number_of_processes_changes_nothing(whole, tmp_path):
    build("counting", "train", SIZE, str(tmp_path), preset="tiny", workers=1)
    assert digest(tmp_path) == digest(whole)


def test_a_killed_build_goes_on_to_the_same_bytes(whole, tmp_path):
    command = [sys.executable, "-m", "reasonrft", "data", "build", "--task", "counting"]
    command += ["--split", "train", "--size", str(SIZE), "--preset", "tiny", "--workers", "2"]
    command += ["--output", str(tmp_path)]
    parts = tmp_path / ".build" / "counting-train"
    for done in (1, 3):
        killed = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
        while killed.poll() is None and len(list(parts.glob("*.json"))) < done:
            time.sleep(0.01)
        if killed.poll() is None:
            os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert digest(tmp_path) == digest(whole)


def test_two_builds_of_one_folder_end_with_one_and_a_sentence(whole, tmp_path):
    command = [sys.executable, "-m", "reasonrft", "data", "build", "--task", "counting"]
    command += ["--split", "train", "--size", str(SIZE), "--preset", "tiny", "--workers", "1"]
    command += ["--output", str(tmp_path)]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while first.poll() is None and not list(tmp_path.glob(".build/counting-train/*.json")):
        time.sleep(0.01)
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert second.stderr == (
        f"reasonrft: another process is drawing counting-train into {tmp_path}: wait for it, or "
        "choose another folder\n"
    )
    assert first.wait() == 0
    assert digest(tmp_path) == digest(whole)


def test_a_finished_build_is_left_alone_and_another_is_refused(whole, capsys):
    before = digest(whole)
    build("counting", "train", SIZE, str(whole), preset="tiny")
    with pytest.raises(BadInput, match="with other settings"):
        build("counting", "train", SIZE, str(whole), preset="tiny", seed=1)
    assert digest(whole) == before


def test_only_drafts_of_the_same_split_are_cleared_away(tmp_path):
    left = tmp_path / "images/counting-id/.counting-id-000000.png.1.tmp"
    others = tmp_path / "images/counting-val/.counting-val-000000.png.1.tmp"
    for draft in (left, others):
        draft.parent.mkdir(parents=True)
        draft.write_bytes(b"half")
    build("counting", "id", 1, str(tmp_path), preset="tiny", workers=1)
    assert others.exists() and not left.exists()


def test_a_file_that_was_not_built_is_not_overwritten(tmp_path):
    (tmp_path / "counting-id.json").write_text("[]")
    with pytest.raises(BadInput, match="was not built here"):
        build("counting", "id", 1, str(tmp_path), preset="tiny")


@pytest.mark.parametrize("task", ["structure", "transformation"])
def test_the_other_worlds_are_built_too(task, tmp_path, capsys):
    main(
        ["data", "build", "--task", task, "--split", "id", "--size", "3", "--preset", "tiny"]
        + ["--output", str(tmp_path), "--workers", "1"]
    )
    assert [problem.task for problem in load_problems(tmp_path)] == [task] * 3
    capsys.readouterr()
    assert validate(str(tmp_path), json=True) == 0
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert report["agreed"] == report["rederived"] == (3 if task == "transformation" else 0)


def test_world_args_on_the_command_line(tmp_path):
    arguments = ["--task", "transformation", "--split", "id", "--size", "2", "--preset", "tiny"]
    arguments += ["--world-args.steps", "[1, 1]"]
    arguments += ["--world-args.light", "[{class_path: RandomLight}]"]
    main(["data", "build", *arguments, "--output", str(tmp_path), "--workers", "1"])
    assert [problem.meta["level"] for problem in load_problems(tmp_path)] == [1, 1]
    plain = make_world("transformation", "tiny", steps=[1, 1]).problem("id", 0)
    first = tmp_path / "images/transformation-id/transformation-id-000000-0.png"
    assert first.read_bytes() != plain.images[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "chess"}, "no world for task 'chess'"),
        ({"split": "ood"}, "has no split 'ood'"),
        ({"preset": "huge"}, "no preset 'huge'"),
        ({"world_args": {"hight": 3}}, "no argument 'hight'"),
        ({"size": 0}, "at least 1"),
    ],
)
def test_wrong_usage_is_one_sentence_and_writes_nothing(arguments, message, tmp_path):
    usual = {"task": "counting", "split": "id", "size": 1, "output": str(tmp_path / "out")}
    with pytest.raises(BadInput, match=message):
        build(**usual | arguments)
    assert not (tmp_path / "out").exists()
