"""Tensors that are spread over four ranks, in rows that do not always go round."""

from typing import Any

import pytest
import torch

from reasonrft.checkpoints import SafeCheckpointIO
from reasonrft.distributed.sharded_state import Pieces
from tests.distributed.processes import run_once
from tests.distributed.spread_states import MESHES, SHAPES, run_on_four, whole, whole_state
from tests.starting import Forked


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Any:
    def run(home):
        Forked(home, run_on_four, home).result(seconds=150)

    return run_once(tmp_path_factory.getbasetemp(), "spread-states", run)


def assert_equal(first: Any, second: Any) -> None:
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize("mesh", MESHES)
def test_a_rank_takes_the_rows_that_torch_gives_it(mesh, home):
    outcomes = [torch.load(home / f"{mesh}-{rank}.pt") for rank in range(4)]
    for kind in ("held", "held of pieces"):
        for number, shape in enumerate(SHAPES):
            for outcome in outcomes:
                held = outcome[kind][number]
                assert_equal(held["taken"], held["by torch"])
                assert_equal(held["taken"], whole(shape)[slice(*held["rows"])])
                assert_equal(held["together"], whole(shape))
    # 9 rows in chunks of 3, the last of 4 ranks with none; in chunks of 5 over 2.
    expected = [(0, 3), (3, 6), (6, 9), (9, 9)] if mesh == "plain" else [(0, 5), (5, 9)] * 2
    assert [outcome["held"][1]["rows"] for outcome in outcomes] == expected


@pytest.mark.parametrize("mesh", MESHES)
def test_one_rank_gathers_whole_tensors_and_the_others_keep_none(mesh, home):
    gathered = [torch.load(home / f"{mesh}-{rank}.pt")["gathered"] for rank in range(4)]
    assert_equal(gathered[1], whole_state())
    for rank in (0, 2, 3):
        assert gathered[rank]["state_dict"]["weight"] is None


@pytest.mark.parametrize("mesh", MESHES)
def test_one_process_reads_what_four_have_written(mesh, home):
    folder = home / f"{mesh}.ckpt"
    assert_equal(SafeCheckpointIO().load_checkpoint(folder), whole_state())
    writers = 4 if mesh == "plain" else 2
    names = {"state.pt", *(f"shards-{rank}-of-{writers}.pt" for rank in range(writers))}
    assert {path.name for path in folder.iterdir()} == names
    assert [path.name for path in home.glob(".*")] == []


def test_rows_are_read_across_pieces():
    rows = whole((7, 2))
    pieces = Pieces(rows.shape, [(0, rows[:3]), (3, rows[3:6]), (6, rows[6:]), (7, rows[7:])])
    for first in range(8):
        for last in range(first, 8):
            assert_equal(pieces[first:last], rows[first:last])
    assert_equal(pieces.whole(), rows)
