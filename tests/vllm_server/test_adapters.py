"""Two replicas that take adapters."""

import time
from threading import Thread

import pytest

from reasonrft.errors import BadInput
from reasonrft.policy import Lora, Policy
from reasonrft.rollout import LocalEngine
from tests.vllm_server.training import (
    TOLERANCE,
    Steps,
    answers,
    engine_of,
    greedy_ids,
    loaded,
    local_ids,
    train,
)

pytestmark = pytest.mark.filterwarnings("ignore")


def test_servers_follow_training_while_they_are_killed(replicas, model, tmp_path):
    first, second = replicas
    policy = Policy(str(model), Lora(rank=4))
    engine = engine_of(replicas, tmp_path)

    def kill_while_it_answers() -> None:
        while not engine.replicas[0].in_flight:
            time.sleep(0.001)
        first.kill()

    def leave_none_to_answer() -> None:
        second.kill()
        first.start()
        second.start()

    watch = Steps(
        {
            6: Thread(target=kill_while_it_answers, daemon=True).start,
            9: leave_none_to_answer,
            12: second.wait,
        }
    )
    train(policy, engine, 20, watch)

    assert len(watch.work) == 20
    differences = [metrics["train/rollout_logprob_diff_max"] for metrics in watch.metrics]
    assert 0 < max(differences) < TOLERANCE
    assert watch.requests(0)[6:9] == [0, 0, 0] and watch.requests(1)[6:9] == [4, 4, 4]
    for at in (0, 1):  # both shared the work, before and after
        requests = watch.requests(at)
        assert sum(requests[:6]) > 0 and sum(requests[12:]) > 0
    served = greedy_ids(engine, policy)
    assert served == local_ids(policy)
    assert served != local_ids(loaded(model))


def test_servers_of_other_weights_are_refused(replicas, model, tmp_path):
    other = loaded(model, adapter=Lora(rank=4))
    other.model.get_input_embeddings().weight.data.mul_(-1)
    with pytest.raises(BadInput, match=r"http://127.* other weights") as refusal:
        engine_of(replicas, tmp_path).sync(other, 0)
    assert "\n" not in str(refusal.value)


def test_servers_of_other_pixels_are_refused(replicas, model, tmp_path):
    # Images come as large as the policy wants them: only what is too large for a server changes.
    other = loaded(model, adapter=Lora(rank=4), max_pixels=2 * 96 * 96)
    with pytest.raises(BadInput, match=r"http://127.*pixel") as refusal:
        engine_of(replicas, tmp_path).sync(other, 0)
    assert "\n" not in str(refusal.value)


def test_servers_that_leave_out_a_part_of_the_adapter_are_refused(replicas, model, tmp_path):
    parts = loaded(model, adapter=Lora(rank=4), train_parts=("language", "projector"))
    with pytest.raises(BadInput, match="--enable-tower-connector-lora") as refusal:
        engine_of(replicas, tmp_path).sync(parts, 0)
    assert "\n" not in str(refusal.value)


def test_evaluation_asks_servers(replicas, model, tmp_path):
    policy = loaded(model, adapter=Lora(rank=4))
    engine = engine_of(replicas, tmp_path)
    served = answers(policy, engine, tmp_path / "served-answers")
    assert served == answers(policy, LocalEngine(), tmp_path / "local-answers")
    assert len(served) == 4
