"""Checkpoints that are folders: whole or as before, and nothing in them is run."""

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed

from reasonrft.checkpoints import SafeCheckpointIO
from reasonrft.checkpoints.sharded_folder import write_folder
from reasonrft.distributed.sharding_strategy import make_mesh
from reasonrft.errors import BadInput
from tests.distributed.spread_states import spread_state, whole_state

IO = SafeCheckpointIO()


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> Any:
    """Of one rank, which writes one of three parts."""
    meeting = tmp_path_factory.mktemp("meeting") / "file"
    distributed.init_process_group("gloo", f"file://{meeting}", world_size=1, rank=0)
    yield spread_state(make_mesh("cpu", 1, None))
    distributed.destroy_process_group()


@pytest.fixture
def folder(state, tmp_path) -> Path:
    return write(state, tmp_path / "last.ckpt")


def write(state: Any, folder: Path) -> Path:
    write_folder(folder, state, 0, 1, IO.is_whole)
    return folder


def steps(folder: Path) -> int:
    return IO.load_checkpoint(folder)["step"]


class Payload:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_read_as_it_was_written(folder):
    torch.testing.assert_close(IO.load_checkpoint(folder), whole_state(), rtol=0, atol=0)
    assert names(folder) == ["shards-0-of-1.pt", "state.pt"]
    assert names(folder.parent) == ["last.ckpt"]


@pytest.mark.parametrize("name", ["state.pt", "shards-0-of-1.pt"])
def test_a_payload_in_any_file_is_refused_and_not_run(name, folder, tmp_path):
    mark = tmp_path / "mark"
    pickle.loads(pickle.dumps(Payload(mark)))
    mark.rmdir()  # it would work
    content = torch.load(folder / name)
    torch.save({**content, ("state_dict", "weight"): Payload(mark)}, folder / name)
    with pytest.raises(BadInput, match=f"{name} holds more than numbers and text"):
        IO.load_checkpoint(folder)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["state.pt", "shards-0-of-1.pt"])
@pytest.mark.parametrize("harm", ["missing", "cut", "damaged"])
def test_a_harmed_folder_is_refused_and_the_one_before_named(name, harm, folder, state):
    write(state, folder)
    path = folder / name
    content = path.read_bytes()
    if harm == "missing":
        path.unlink()
    elif harm == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        # Between the pickle's own marks, beyond the padding before it.
        middle = content.index(b"state_dict") + 3
        path.write_bytes(content[:middle] + b"?" + content[middle + 1 :])
    assert not IO.is_whole(folder) or harm == "damaged"
    said = {"missing": "is not there", "cut": "is cut off", "damaged": "is damaged"}[harm]
    with pytest.raises(BadInput, match=f"{name} {said}") as raised:
        IO.load_checkpoint(folder)
    before = folder.with_name("previous-last.ckpt")
    assert f"the one before is whole: --ckpt_path {before}" in str(raised.value)
    torch.testing.assert_close(IO.load_checkpoint(before), whole_state(), rtol=0, atol=0)


def test_a_folder_takes_the_place_of_one_and_of_a_file_and_the_other_way_round(folder, state):
    before = folder.with_name("previous-last.ckpt")
    for number in range(1, 4):
        write({**state, "step": number}, folder)
    assert (steps(folder), steps(before)) == (3, 2)
    IO.save_checkpoint({"state_dict": {}, "step": 4}, folder)
    assert folder.is_file() and (steps(folder), steps(before)) == (4, 3)
    write({**state, "step": 5}, folder)
    assert folder.is_dir() and (steps(folder), steps(before)) == (5, 4)
    assert names(folder.parent) == ["last.ckpt", "previous-last.ckpt"]
    IO.remove_checkpoint(folder)
    assert names(folder.parent) == []


def test_one_that_cannot_be_written_leaves_the_one_before(folder, state, monkeypatch):
    write({**state, "step": 1}, folder)

    class Full:
        def __reduce__(self) -> Any:
            raise OSError(28, "No space left on device")

    with pytest.raises(BadInput, match=r"No space left on device.*the one before is as it was"):
        write({**state, "step": 2, "more": Full()}, folder)
    assert steps(folder) == 1
    assert names(folder.parent) == ["last.ckpt", "previous-last.ckpt"]


def test_a_folder_that_is_no_checkpoint_is_neither_read_nor_replaced(folder, state):
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    with pytest.raises(BadInput, match=r"last\.ckpt is a folder and no checkpoint"):
        IO.load_checkpoint(folder)
    with pytest.raises(BadInput, match=r"last\.ckpt is a folder and no checkpoint"):
        write(state, folder)
    assert names(folder) == ["config.json"]


@pytest.mark.parametrize("content", [[], {}, {"state_dict": 3}, {"optimizer_states": [{}]}])
def test_files_of_something_else_are_refused_in_one_sentence(content, folder):
    torch.save(content, folder / "state.pt")
    with pytest.raises(BadInput, match="is damaged, or no checkpoint of a training run"):
        IO.load_checkpoint(folder)
