from pathlib import Path

import pytest

from reasonrft.cli.problem_options import file_name
from reasonrft.cli.run_folder import default_folder, locked
from reasonrft.errors import BadInput
from tests.cli.running import SMALL_GRPO, stopped


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("own/train.json", "own"),
        ("own/cats.jsonl", "cats"),
        ("own/", "own"),
        ("somebody/geometry", "geometry"),
    ],
)
def test_a_file_is_called_by_its_name_or_by_its_folder(path, name):
    assert file_name(path) == name


def test_problems_of_ones_own_name_the_folder():
    assert default_folder({"problems": "own/train.json"}, "fit", ["grpo"]) == "outputs/grpo/own"
    source = {"class_path": "mine.Source", "init_args": {"rows": 3}}
    data = {
        "class_path": "reasonrft.datamodules.GeneralDataModule",
        "init_args": {"source": source},
    }
    assert default_folder({"data": data}, "fit", []) == "outputs/fit/general"


def test_a_second_run_into_a_folder_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with locked(Path("outputs/grpo/counting")):
        told = stopped(capsys, "fit --config grpo.yaml", **SMALL_GRPO)
    assert told.startswith("another run is training into outputs/grpo/counting: wait for its end")
    with locked(Path("outputs/grpo/counting")):
        pass  # the refused run left no lock behind


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(BadInput, match=r"nothing can be written into .*file/run \(Not a directory"),
        locked(tmp_path / "file" / "run"),
    ):
        pass
