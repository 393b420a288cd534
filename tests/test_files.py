from pathlib import Path

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
