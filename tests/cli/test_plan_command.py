"""`plan` as it is typed: its table, its JSON, its verdict and its refusals."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.own_records import write_json
from tests.cli.running import run, stopped

pytestmark = pytest.mark.filterwarnings("ignore")

GRPO = "plan --config grpo.yaml --data.max_tokens 256 --trainer.limit_val_batches 0"


@pytest.fixture
def shape(family_folder, tmp_path) -> Path:
    """A folder with nothing but a config.json."""
    folder = tmp_path / "shape"
    folder.mkdir()
    shutil.copy(family_folder("qwen2-vl") / "config.json", folder)
    return folder


def report(capsys, command: str, **options: object) -> dict:
    run(f"{command} --json", **options)
    return json.loads(capsys.readouterr().out)


def test_a_config_json_is_enough(shape, capsys):
    run(f"{GRPO} --memory 80GiB --policy {shape}")
    said = capsys.readouterr().out
    assert f"{shape}: prompts 16, prompt tokens 256, completions 16" in said
    assert "what data.max_tokens allows: 256 tokens" in said
    header = "| GiB on each device | rollout | check | update | optimizer |"
    assert header in said and "| weights |" in said and "| CUDA context |" in said
    assert said.splitlines()[-1].endswith("On a GPU of 80.00 GiB it fits.")


def test_the_report_adds_up(shape, capsys):
    told = report(capsys, f"{GRPO} --policy {shape} --trainer.accelerator cpu --model.beta 0.04")
    sums = {phase: sum(parts.values()) for phase, parts in told["phases"].items()}
    assert told["peak_bytes"] == max(sums.values()) == sums[told["peak_phase"]]
    assert set(sums) == {"rollout", "check", "reference", "update", "optimizer"}
    assert told["device"]["name"] == "CPU" and told["fits"] and told["knobs"] == []


def test_what_does_not_fit_is_told_with_knobs_that_make_it(shape, capsys):
    small = f"{GRPO} --policy {shape} --model.micro_batch_tokens 32768 --memory"
    peak = report(capsys, f"{small} 80GiB")["peak_bytes"]
    told = report(capsys, f"{small} {int(peak * 0.9)}")
    assert not told["fits"] and told["knobs"][-1]["fits"]
    assert told["knobs"][-1]["peak_bytes"] < 0.9 * peak
    options = [option for knob in told["knobs"] for option in knob["options"]]
    turned = report(capsys, f"{small} 80GiB {' '.join(options)}")
    assert turned["peak_bytes"] == told["knobs"][-1]["peak_bytes"]


def test_problems_that_are_there_are_read(tmp_path, family_folder, capsys):
    file, folder = write_json(tmp_path, 8), family_folder("qwen2-vl")
    command = f"plan --config sft.yaml --config ans_sft.yaml --problems {file} --policy {folder}"
    told = report(capsys, command)
    assert told["prompts"] == "the longest of 7 problems"
    assert told["step"]["examples"] == 8 and told["step"]["prompt_tokens"] < 256
    assert "allows" in report(capsys, f"{command} --worst-case")["prompts"]


def test_ranks_are_those_that_the_trainer_would_start(shape, capsys):
    several = "--trainer.devices 8 --trainer.num_nodes 2 --memory 80GiB"
    one = report(capsys, f"{GRPO} --policy {shape} --memory 80GiB")
    copies = report(capsys, f"{GRPO} --policy {shape} {several}")
    assert copies["ranks"] == {"devices": 8, "nodes": 2, "kind": "ddp", "shard_size": None}
    trained = one["phases"]["optimizer"]["gradients"]
    assert copies["phases"]["update"]["gradients of all ranks"] == trained
    spread = report(
        capsys, f"{GRPO} --policy {shape} {several} --trainer.strategy ModelParallelStrategy"
    )
    assert spread["ranks"]["kind"] == "fsdp"
    whole = one["phases"]["update"]["weights"]
    assert spread["phases"]["update"]["weights"] == -(-whole // 16)
    assert spread["phases"]["rollout"]["weights gathered"] > 0.9 * whole


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (f"{GRPO} --memory many", "--memory is many: give a size such as 80GiB"),
        (f"{GRPO} --policy no/such/model", "no folder no/such/model with a model"),
        ("plan", "there is no model: give a config that names one"),
        (
            "plan --config endpoint.yaml --config data/counting.yaml --endpoint http://127.0.0.1",
            "plan knows runs of SFTModule and GRPOModule, not EndpointModule",
        ),
    ],
)
def test_what_cannot_be_planned_is_said_in_a_sentence(command, sentence, capsys):
    assert sentence in stopped(capsys, command)
