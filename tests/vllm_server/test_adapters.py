"""Two replicas that take adapters."""

import pytest

from reasonrft.errors import BadInput
from reasonrft.policy import Lora, Policy
from tests.vllm_server.serving import Server
from tests.vllm_server.training import (
    TOLERANCE,
    Steps,
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

    def restart(server: Server) -> None:
        server.kill()
        server.start()

    # The second takes all requests, until it is killed too and none is left to answer.
    watch = Steps({6: lambda: restart(first), 9: lambda: restart(second), 12: second.wait})
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


def test_evaluation_asks_servers(replicas, model, tmp_path):
    policy = loaded(model, adapter=Lora(rank=4))
    assert greedy_ids(engine_of(replicas, tmp_path), policy) == local_ids(policy)
