"""Training that samples through a vLLM server: its weights are spread, and the first rank syncs.

A judge is asked as completions come; it changes no update.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from reasonrft.distributed.ranks import all_gather
from reasonrft.distributed.sharding_strategy import ShardingStrategy
from reasonrft.evaluation.endpoint_client import Endpoint
from reasonrft.modules import GRPOModule
from reasonrft.policy import Policy
from reasonrft.rollout import Sampling, VLLMServerEngine
from tests.datamodules.reading import quiet
from tests.evaluation.serving import serving
from tests.modules.fitting import Capitals, data
from tests.rewards.judging import Vowels, count_vowels
from tests.rollout.vllm_serving import VLLMServer


def served(folder: Path, home: Path) -> dict[str, Any]:
    """Two steps of two ranks; the server stands in the first one's process."""
    server = VLLMServer(folder) if distributed.get_rank() == 0 else None
    (url, _) = all_gather(server and server.url)
    stack = ExitStack()
    judge = stack.enter_context(serving(count_vowels)) if distributed.get_rank() == 0 else None
    (judge_url, _) = all_gather(judge and judge.url)
    client = Endpoint(judge_url, "judge", cache=str(home / "replies"))
    one = GRPOModule(
        Policy(str(folder)),
        {"capitals": Capitals(), "judge": Vowels(client, weight=0.0)},
        group_size=2,
        sampling=Sampling(max_tokens=4),
        beta=0.04,  # so that all groups are scored
        optimizer=lambda params: torch.optim.SGD(params, 0.5),
        engine=VLLMServerEngine([url], str(home / "served")),
    )
    metrics = []

    def note(*_: Any) -> None:
        assert one.step_record is not None
        metrics.append(dict(one.step_record.metrics))

    one.on_train_batch_end = note  # type: ignore[method-assign]
    try:
        trainer = quiet(devices=2, strategy=ShardingStrategy(), max_epochs=-1, max_steps=2)
        trainer.fit(one, data(batch_size=2))
    finally:
        all_gather("done")
        stack.close()
        if server:
            server.stop()
    return {
        "metrics": metrics,
        "synced": server and server.calls.count("/collective_rpc"),
        "judged": judge and len(judge.bodies),
    }
