"""Training and evaluation through a vLLM server, by the command and committed configurations."""

import csv
from pathlib import Path

import pytest

from reasonrft.cli import main
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


def metrics(folder: Path) -> list[dict[str, str]]:
    """The rows of training's steps."""
    (file,) = folder.glob("outputs/grpo/**/metrics.csv")
    with file.open() as lines:
        return [row for row in csv.DictReader(lines) if row["train/reward"]]
