import socket

import pytest
from torch import distributed, multiprocessing

from reasonrft.evaluation.accuracy_metric import AccuracyMetric
from reasonrft.evaluation.results import AnswerAccuracy


def score(key: str) -> AnswerAccuracy:
    return AnswerAccuracy(key, "counting/id", 0.5, 1.0, 7, False, {"template": "größer"})


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_scores_come_back_until_reset():
    board = AccuracyMetric()
    board.update([score("a"), score("b")])
    board.update([])
    board.update([score("b")])
    assert board.compute() == [score("a"), score("b")]
    assert board.state_dict() == {}
    board.reset()
    board.update([score("c")])
    assert board.compute() == [score("c")]
    board.reset()
    assert board.compute() == []


def _two_ranks(rank: int, port: int) -> None:
    address = f"tcp://127.0.0.1:{port}"
    distributed.init_process_group("gloo", address, world_size=2, rank=rank)
    board = AccuracyMetric()
    board.update([[score("a"), score("bb"), score("c")], [score("c")]][rank])
    assert board.compute() == [score("a"), score("bb"), score("c")]
    # What was gathered is not kept: each rank goes on with its own.
    board.update([score("d")] if rank else [])
    assert {one.key for one in board.compute()} == {"a", "bb", "c", "d"}
    board.reset()
    if rank:
        board.update([score("e")])
    assert board.compute() == [score("e")]
    distributed.destroy_process_group()


def test_ranks_see_all_scores_and_count_each_prompt_once():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Forked, for importing torch takes longer than all the rest.
    multiprocessing.start_processes(_two_ranks, (port,), nprocs=2, start_method="fork")
