"""Training and evaluation through a vLLM server, by the command and committed configurations."""

import csv
from pathlib import Path

import pytest
import torch

from reasonrft.cli import main
from reasonrft.modules import GRPOModule
from reasonrft.policy import Lora, Policy
from reasonrft.rollout import NoisyRollout, Sampling, VLLMServerEngine
from tests.datamodules.reading import quiet
from tests.modules.fitting import Capitals, data
from tests.rollout.vllm_serving import vllm_server

pytestmark = pytest.mark.filterwarnings("ignore")
CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def test_a_run_samples_ahead_and_answers_through_a_server(
    family_folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    folder = family_folder("qwen3-vl")
    names = ("grpo.yaml", "lora.yaml", "vllm.yaml")
    with vllm_server(folder) as server:
        options = {
            "policy": folder,
            "model.engine.init_args.urls": f"[{server.url}]",
            "model.sampling.max_tokens": 4,
            "model.group_size": 2,
            "model.beta": 0.04,  # so that all groups are scored
            "model.answer_tokens": 2,
            "model.policy.max_pixels": 3136,
            "data.source.train": 4,
            "data.source.val": 1,
            "data.source.test": 1,
            "data.source.workers": 1,
            "data.batch_size": 2,
            "model.async_steps": 1,
            "trainer.max_steps": 3,
            "trainer.limit_val_batches": 0,
            "trainer.enable_progress_bar": "false",
        }
        configs = [argument for name in names for argument in ("--config", str(CONFIGS / name))]
        main(["fit", *configs, *(f"--{key}={value}" for key, value in options.items())])
        greedy = [body for body in server.bodies if body["sampling_params"]["temperature"] == 0]
        loaded = server.calls.count("/v1/load_lora_adapter")
    assert loaded == 3  # before the first two steps, whose rollouts are two and one, and at the end
    assert len(greedy) > 0  # evaluation
    rows = metrics(tmp_path)
    assert [float(row["train/importance_weight"]) for row in rows] == pytest.approx(
        [1, 1, 1], abs=1e-3
    )
    assert [float(row["train/staleness"]) for row in rows] == [0, 1, 1]
    assert all(0 < float(row["train/rollout_logprob_diff_max"]) < 1e-3 for row in rows)
    assert [float(row["perf/requests_0"]) for row in rows] == [2, 2, 2]
    assert not list((tmp_path / "outputs" / "served").glob("*/*-1"))


def test_a_rollout_runs_ahead_on_a_server(family_folder, tmp_path):
    folder = family_folder("qwen3-vl")
    with vllm_server(folder) as server:
        one = GRPOModule(
            Policy(str(folder), Lora(rank=2)),
            {"capitals": Capitals()},
            group_size=2,
            sampling=Sampling(max_tokens=4),
            beta=0.04,  # so that all groups are scored
            async_steps=1,
            noisy_rollout=NoisyRollout(),
            optimizer=lambda params: torch.optim.SGD(params, 5.0),
            engine=VLLMServerEngine([server.url], str(tmp_path / "served")),
        )
        steps: list[dict[str, float]] = []
        one.on_train_batch_end = lambda *_: steps.append(dict(one.step_record.metrics))
        quiet(max_epochs=-1, max_steps=3).fit(one, data(batch_size=2))
    assert one.engine.should_stop == one.should_stop  # a signal ends the wait for servers
    assert [step["train/staleness"] for step in steps] == [0, 1, 1]
    apart = [step["train/rollout_logprob_diff_max"] for step in steps]
    assert apart[0] < 1e-4 < max(apart[1:])  # sampled by the weights before the update
    assert all(step["perf/requests_0"] == 4 for step in steps)  # half of them with noise


def metrics(folder: Path) -> list[dict[str, str]]:
    """The rows of training's steps."""
    (file,) = folder.glob("outputs/grpo/**/metrics.csv")
    with file.open() as lines:
        return [row for row in csv.DictReader(lines) if row["train/reward"]]
