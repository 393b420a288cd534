"""Training that samples through a vLLM server: its weights are spread, and the first rank syncs."""

from pathlib import Path
from typing import Any

import torch
from torch import distributed

from reasonrft.distributed.ranks import all_gather
from reasonrft.distributed.sharding_strategy import ShardingStrategy
from reasonrft.modules import GRPOModule
from reasonrft.policy import Policy
from reasonrft.rollout import Sampling, VLLMServerEngine
from tests.datamodules.reading import quiet
from tests.modules.fitting import Capitals, data
from tests.rollout.vllm_serving import VLLMServer


def served(folder: Path, home: Path) -> dict[str, Any]:
    """Two steps of two ranks; the server stands in the first one's process."""
    server = VLLMServer(folder) if distributed.get_rank() == 0 else None
    (url, _) = all_gather(server and server.url)
    one = GRPOModule(
        Policy(str(folder)),
        {"capitals": Capitals()},
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
        if server:
            server.stop()
    return {"metrics": metrics, "synced": server and server.calls.count("/collective_rpc")}
