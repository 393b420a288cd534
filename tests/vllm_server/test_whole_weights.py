"""A server that takes whole weights, and no adapters."""

import pytest

from reasonrft.errors import BadInput
from reasonrft.policy import Lora, Policy
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


def test_server_follows_training_of_all_weights(plain, untied, tmp_path):
    policy, watch = Policy(str(untied)), Steps()
    engine = engine_of([plain], tmp_path)
    train(policy, engine, 5, watch)
    assert max(m["train/rollout_logprob_diff_max"] for m in watch.metrics) < TOLERANCE
    served = greedy_ids(engine, policy)
    assert served == local_ids(policy)
    assert served != local_ids(loaded(untied))


def test_server_without_adapters_is_refused(plain, untied, tmp_path):
    adapted = loaded(untied, adapter=Lora(rank=4))
    with pytest.raises(BadInput, match="--enable-lora") as refusal:
        engine_of([plain], tmp_path).sync(adapted, 0)
    assert "\n" not in str(refusal.value)
