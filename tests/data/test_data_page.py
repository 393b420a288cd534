"""docs/data.md: every command of it runs, on data as it describes."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from reasonrft import datamodules
from reasonrft.cli import main
from reasonrft.readers import FORMATS, DataError, load_problems
from tests.readers.writing import write_image, write_records

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^python -m reasonrft (.+)$", PAGE, re.MULTILINE)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """A folder as the page's commands expect it, with the record that the page shows."""
    [record] = blocks("json")
    for number in range(1, 5):
        write_image(tmp_path / "own" / "images" / f"{number:03d}.png")
    for name in ("train", "hard"):
        write_records(tmp_path / "own" / f"{name}.json", [json.loads(record)] * 3)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_run(own, command, capsys):
    arguments = shlex.split(command)
    main([*arguments, "--workers", "1"] if "build" in arguments else arguments)
    assert capsys.readouterr().out


def test_there_are_commands():
    assert [command.split()[1] for command in COMMANDS] == [
        "validate",
        "preview",
        "convert",
        "build",
    ]


def test_the_configuration_and_the_python_are_right(own, capsys):
    [text] = blocks("yaml")
    data = yaml.safe_load(text)["data"]
    source = data["init_args"]["source"]
    problems = getattr(datamodules, source["class_path"])(**source["init_args"])
    assert hasattr(datamodules, data["class_path"]) and problems.splits == ("train", "hard")
    [code] = blocks("python")
    exec(compile(code, "docs/data.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == ["Which shape is red?"] * 3


def test_the_fault_is_said_as_the_page_says(own):
    write_records(own / "own" / "train.json", [{"qestion": "What?", "answer": "1"}] * 90)
    with pytest.raises(DataError) as caught:
        load_problems("own/train.json")
    assert str(caught.value).splitlines()[1] in PAGE


def test_every_format_is_on_the_page():
    listed = PAGE.partition("| name | a record |")[2].partition("\n\n")[0]
    assert {format.name for format in FORMATS} == {*re.findall(r"^\| `(.+?)` \|", listed, re.M)}
