import socket

import pytest
from torch import distributed, multiprocessing

from reasonrft.evaluation.accuracy_metric import AccuracyMetric
from reasonrft.evaluation.results import AnswerAccuracy


def answer(key: str) -> AnswerAccuracy:
    return AnswerAccuracy(key, "counting/id", 0.5, 1.0, 7, False, {"template": "größer"})


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_accuracies_come_back_until_reset():
    metric = AccuracyMetric()
    metric.update([answer("a"), answer("b")])
    metric.update([])
    metric.update([answer("b")])
    assert metric.compute() == [answer("a"), answer("b")]
    assert metric.state_dict() == {}
    metric.reset()
    metric.update([answer("c")])
    assert metric.compute() == [answer("c")]
    metric.reset()
    assert metric.compute() == []


def _two_ranks(rank: int, port: int) -> None:
    address = f"tcp://127.0.0.1:{port}"
    distributed.init_process_group("gloo", address, world_size=2, rank=rank)
    metric = AccuracyMetric()
    metric.update([[answer("a"), answer("bb"), answer("c")], [answer("c")]][rank])
    assert metric.compute() == [answer("a"), answer("bb"), answer("c")]
    # What was gathered is not kept: each rank goes on with its own.
    metric.update([answer("d")] if rank else [])
    assert {a.key for a in metric.compute()} == {"a", "bb", "c", "d"}
    metric.reset()
    if rank:
        metric.update([answer("e")])
    assert metric.compute() == [answer("e")]
    distributed.destroy_process_group()


def test_ranks_see_all_accuracies_and_count_each_prompt_once():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Forked, for importing torch takes longer than all the rest.
    multiprocessing.start_processes(_two_ranks, (port,), nprocs=2, start_method="fork")
