"""A server that takes whole weights, and no adapters."""

from collections.abc import Iterator

import pytest

from reasonrft.errors import BadInput
from reasonrft.policy import Lora, Policy
from tests.vllm_server.cpu_servers import NEEDS_VLLM, Server, serve
from tests.vllm_server.served_training import (
    TOLERANCE,
    Steps,
    engine_of,
    greedy_ids,
    loaded,
    local_ids,
    train,
)

pytestmark = [pytest.mark.filterwarnings("ignore"), NEEDS_VLLM]


@pytest.fixture(scope="module")
def server(model, tmp_path_factory) -> Iterator[Server]:
    with serve(model, tmp_path_factory.mktemp("server"), 1) as servers:
        yield servers[0]


def test_server_follows_training_of_all_weights(server, model, tmp_path):
    policy, watch = Policy(str(model)), Steps()
    engine = engine_of([server], tmp_path)
    train(policy, engine, 5, watch)
    assert max(m["train/rollout_logprob_diff_max"] for m in watch.metrics) < TOLERANCE
    served = greedy_ids(engine, policy)
    assert served == local_ids(policy)
    assert served != local_ids(loaded(model))


def test_server_without_adapters_is_refused(server, model, tmp_path):
    adapted = loaded(model, adapter=Lora(rank=4))
    with pytest.raises(BadInput, match="--enable-lora") as refusal:
        engine_of([server], tmp_path).sync(adapted, 0)
    assert "\n" not in str(refusal.value)
