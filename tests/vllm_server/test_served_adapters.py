"""Two replicas that take adapters."""

import time
from collections.abc import Iterator
from threading import Thread

import pytest

from reasonrft.errors import BadInput
from reasonrft.policy import Lora, Policy
from reasonrft.rollout import LocalEngine, VLLMServerEngine
from tests.vllm_server.cpu_servers import ADAPTERS, NEEDS_VLLM, Server, serve
from tests.vllm_server.served_training import (
    TOLERANCE,
    Steps,
    adapted,
    answers,
    engine_of,
    greedy_ids,
    loaded,
    local_ids,
    train,
)

pytestmark = [pytest.mark.filterwarnings("ignore"), NEEDS_VLLM]


@pytest.fixture(scope="module")
def replicas(model, tmp_path_factory) -> Iterator[list[Server]]:
    with serve(model, tmp_path_factory.mktemp("replicas"), 2, *ADAPTERS) as servers:
        yield servers


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

    def wait_for_the_second() -> None:
        second.wait()
        # The engine looks at it again when its rest is over.
        time.sleep(max(0.0, engine.replicas[1].rests_until - time.monotonic()))

    watch = Steps(
        {
            6: Thread(target=kill_while_it_answers, daemon=True).start,
            9: leave_none_to_answer,
            12: wait_for_the_second,
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
    policy = adapted(model)
    engine = engine_of(replicas, tmp_path)
    engine.sync(policy, 0)
    before = requests_of(engine)
    served = answers(policy, engine, tmp_path / "served-answers")
    assert requests_of(engine) - before == len(served) == 4
    assert served == answers(policy, LocalEngine(), tmp_path / "local-answers")
    assert served != answers(loaded(model), LocalEngine(), tmp_path / "base-answers")


def requests_of(engine: VLLMServerEngine) -> int:
    return sum(replica.requests for replica in engine.replicas)


def test_servers_sample_ahead_while_the_policy_updates(replicas, model, tmp_path):
    policy, watch = Policy(str(model), Lora(rank=4)), Steps()
    engine = engine_of(replicas, tmp_path)
    train(policy, engine, 6, watch, async_steps=1)
    assert [metrics["train/staleness"] for metrics in watch.metrics] == [0, 1, 1, 1, 1, 1]
    differences = [metrics["train/rollout_logprob_diff_max"] for metrics in watch.metrics]
    # What is a step old was sampled by weights before an update of lr 0.01.
    assert differences[0] < TOLERANCE < min(differences[1:])
    assert greedy_ids(engine, policy) == local_ids(policy)
