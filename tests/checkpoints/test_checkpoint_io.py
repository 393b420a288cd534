"""Checkpoints are whole or not there, and one that is not says so in a sentence."""

import os
import pickle
import resource
import signal
import time
import zipfile
from pathlib import Path

import pytest
import torch

from reasonrft.checkpoints import SafeCheckpointIO
from reasonrft.checkpoints.write_aside import draft_of, previous_of, write_aside
from reasonrft.errors import BadInput

KEPT = SafeCheckpointIO()


def checkpoint(number: int) -> dict[str, object]:
    weights = torch.full((400, 100), float(number))
    return {"state_dict": {"weight": weights}, "global_step": number, "names": ["a", None, 2.5]}


def step_of(path: Path) -> int:
    return int(KEPT.load_checkpoint(path)["global_step"])


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def last(tmp_path) -> Path:
    """The third of three checkpoints of a run."""
    path = tmp_path / "checkpoints" / "last.ckpt"
    for number in (1, 2, 3):
        KEPT.save_checkpoint(checkpoint(number), path)
    return path


def test_a_checkpoint_comes_back_and_the_one_before_is_kept(last):
    loaded = KEPT.load_checkpoint(last, weights_only=False)
    assert torch.equal(loaded["state_dict"]["weight"], checkpoint(3)["state_dict"]["weight"])
    assert loaded["names"] == ["a", None, 2.5]
    assert step_of(previous_of(last)) == 2
    assert names_in(last.parent) == ["last.ckpt", "previous-last.ckpt"]


def test_what_a_killed_run_left_is_removed_at_the_next_save(last):
    (last.parent / ".epoch=3.ckpt.draft").write_bytes(b"half")
    (last.parent / ".sharded.ckpt.draft").mkdir()
    (last.parent / ".sharded.ckpt.draft" / "shard").write_bytes(b"half")
    KEPT.save_checkpoint(checkpoint(4), last)
    assert names_in(last.parent) == ["last.ckpt", "previous-last.ckpt"]
    assert (step_of(last), step_of(previous_of(last))) == (4, 3)


def test_a_broken_checkpoint_does_not_take_the_place_of_the_whole_one_before(last):
    last.write_bytes(last.read_bytes()[:100_000])
    KEPT.save_checkpoint(checkpoint(4), last)
    assert (step_of(last), step_of(previous_of(last))) == (4, 2)


def test_without_hard_links_the_one_before_is_moved(last, monkeypatch):
    def refuse(*paths: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    KEPT.save_checkpoint(checkpoint(4), last)
    assert (step_of(last), step_of(previous_of(last))) == (4, 3)


def test_removing_takes_the_one_before_along(last):
    KEPT.remove_checkpoint(last)
    assert names_in(last.parent) == []
    KEPT.remove_checkpoint(last)


class Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch ran-by-a-checkpoint",)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(255 - value for value in content[middle : middle + 64])
    path.write_bytes(content)


def add_file(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "nothing")


FAULTS = {
    "is not there": Path.unlink,
    "is empty": lambda path: path.write_bytes(b""),
    "is cut off, damaged or no checkpoint": lambda path: os.truncate(path, 90_000),
    "is damaged": damage,
    "is cut off, damaged or no checkpoint ": lambda path: path.write_text("hello"),
    "is damaged ": add_file,
    "is no checkpoint of a training run": lambda path: torch.save([torch.zeros(2)], path),
    "could run code": lambda path: torch.save({"state_dict": Payload()}, path),
    "is a folder and no checkpoint": lambda path: (path.unlink(), path.mkdir()),
    "no checkpoint": lambda path: path.write_bytes(pickle.dumps(Payload())),
}


@pytest.mark.parametrize("said", FAULTS)
def test_one_that_cannot_be_read_is_named_and_the_one_before_is_offered(last, said, monkeypatch):
    monkeypatch.chdir(last.parent)
    FAULTS[said](last)
    with pytest.raises(BadInput) as raised:
        KEPT.load_checkpoint(last)
    sentence = str(raised.value)
    assert sentence.startswith(str(last)) and said.strip() in sentence and "\n" not in sentence
    assert sentence.endswith(f"the one before is whole: --ckpt_path {previous_of(last)}")
    assert "ran-by-a-checkpoint" not in names_in(last.parent)

    damage(previous_of(last))
    with pytest.raises(BadInput, match=r"give another one with --ckpt_path$"):
        KEPT.load_checkpoint(last)


def test_a_full_disk_is_one_sentence_and_nothing_else(last):
    before = {path.name: path.read_bytes() for path in last.parent.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    large = checkpoint(4) | {"more": torch.zeros(200_000)}
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, limits[1]))
        with pytest.raises(BadInput) as raised:
            KEPT.save_checkpoint(large, last)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(raised.value).startswith(
        f"{last} cannot be written (File too large); the one before"
    )
    assert {path.name: path.read_bytes() for path in last.parent.iterdir()} == before


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(BadInput, match=r"cannot be written.*there is none before it"):
        KEPT.save_checkpoint(checkpoint(1), tmp_path / "checkpoints" / "last.ckpt")


def test_what_cannot_be_saved_leaves_the_one_before(last):
    with pytest.raises(AttributeError, match="local object"):
        KEPT.save_checkpoint({"state_dict": lambda: None}, last)
    assert (step_of(last), step_of(previous_of(last))) == (3, 2)
    assert names_in(last.parent) == ["last.ckpt", "previous-last.ckpt"]


def write_folder(target: Path, number: int) -> None:
    with write_aside(target, lambda path: path.is_file() or (path / "end").exists()) as draft:
        draft.mkdir()
        (draft / "shard").write_text(str(number))
        (draft / "end").touch()


def number_in(folder: Path) -> str:
    return (folder / "shard").read_text()


def test_folders_follow_the_same_rules(tmp_path):
    target = tmp_path / "last.ckpt"
    for number in (1, 2, 3):
        write_folder(target, number)
    assert (number_in(target), number_in(previous_of(target))) == ("3", "2")
    (target / "end").unlink()
    write_folder(target, 4)
    assert (number_in(target), number_in(previous_of(target))) == ("4", "2")
    assert names_in(tmp_path) == ["last.ckpt", "previous-last.ckpt"]


def test_a_folder_takes_the_place_of_a_file_and_a_file_that_of_a_folder(tmp_path):
    target = tmp_path / "last.ckpt"
    KEPT.save_checkpoint(checkpoint(1), target)
    write_folder(target, 2)
    assert step_of(previous_of(target)) == 1 and number_in(target) == "2"
    with write_aside(target) as draft:
        draft.write_text("3")
    assert target.read_text() == "3" and number_in(previous_of(target)) == "2"


def write_for_ever(last: Path, told: int) -> None:
    for number in range(4, 1_000_000):
        KEPT.save_checkpoint(checkpoint(number), last)
        os.write(told, number.to_bytes(4, "big"))


def kill_a_writer(last: Path, seconds: float) -> int:
    """The number of the last checkpoint that a process said it had written before it died."""
    listening, told = os.pipe()
    writer = os.fork()
    if writer == 0:
        try:
            write_for_ever(last, told)
        finally:
            os._exit(1)
    os.close(told)
    with os.fdopen(listening, "rb") as heard:
        first = heard.read(4)
        time.sleep(seconds)
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        return int.from_bytes((first + heard.read())[-4:], "big")


def test_a_writer_killed_at_any_instant_leaves_its_last_checkpoint_or_a_newer_one(last):
    for attempt in range(20):
        told = kill_a_writer(last, attempt / 1000)
        newest = step_of(last) if last.exists() else step_of(previous_of(last))
        assert newest in (told, told + 1)
        assert step_of(previous_of(last)) >= told - 1
    KEPT.save_checkpoint(checkpoint(1), last)
    assert not draft_of(last).exists()
    assert names_in(last.parent) == ["last.ckpt", "previous-last.ckpt"]
