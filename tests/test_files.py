import os
from pathlib import Path

import pytest

from reasonrft.errors import BadInput
from reasonrft.files import Staging


def test_a_folder_may_be_made_by_another_process_meanwhile(tmp_path, monkeypatch):
    make = Path.mkdir

    def make_late(folder):
        make(folder)  # as another process does
        make(folder)

    monkeypatch.setattr(Path, "mkdir", make_late)
    with Staging() as staging:
        staging.write(tmp_path / "parts" / "one.json", b"1")
    assert (tmp_path / "parts" / "one.json").read_bytes() == b"1"


def test_only_an_ordinary_file_is_replaced(tmp_path):
    os.mkfifo(tmp_path / "device")
    (tmp_path / "folder").mkdir()
    for name in ("device", "folder"):
        with pytest.raises(BadInput, match=f"{name} is a folder or a device"), Staging() as staging:
            staging.write(tmp_path / "one.json", b"1")
            staging.write(tmp_path / name, b"1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["device", "folder"]
    assert (tmp_path / "device").is_fifo()
