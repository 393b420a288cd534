"""`--blind`, `--swap` and `--ckpt_path last`, with the tiny model that ships."""

import json
from pathlib import Path

import pytest
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from reasonrft.cli import main
from reasonrft.cli.evaluation_options import last_checkpoint
from reasonrft.errors import BadInput

pytestmark = pytest.mark.filterwarnings("ignore")

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "sft.yaml"


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: str, *options: str) -> None:
    sizes = {"train": 4, "val": 2, "test": 4}
    drawn = [f"--data.source.init_args.{name}={size}" for name, size in sizes.items()]
    shown = ["--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"]
    main([command, "--config", str(CONFIG), *drawn, *shown, *options])


def complaint(capsys) -> str:
    errors = capsys.readouterr().err.splitlines()
    (sentence,) = [line for line in errors if line.startswith("reasonrft: ")]
    return sentence


def test_the_tiny_model_is_asked_blind_and_with_other_images(capsys):
    run("test", "--policy", "tiny-counting", "--blind", "true", "--swap", "true")
    (results,) = Path("outputs/sft/counting/evaluation").iterdir()
    splits = json.loads((results / "summary.json").read_text())["tasks"]["counting"]
    assert set(splits) == {"id", "ood-domain", "ood-operation"}
    for found in splits.values():
        assert found["n"] == found["blind"]["n"] == found["swapped"]["n"] == 4
    out = capsys.readouterr().out
    head = next(line for line in out.splitlines() if "how much was seen" in line)
    assert head.split()[-8:] == "blind images - blind swapped images - swapped".split()
    texts = {
        name: [json.loads(line) for line in (results / name).read_text().splitlines()]
        for name in ("answers.jsonl", "answers.blind.jsonl", "answers.swapped.jsonl")
    }
    own, blind, swapped = texts.values()
    assert [line["id"] for line in own] == [line["id"] for line in blind]
    assert [line["problem"] for line in own] == [line["problem"] for line in swapped]
    # An image away or another one is another answer, to some question at least.
    completions = [[line["completion"] for line in lines] for lines in texts.values()]
    assert completions[0] != completions[1] and completions[0] != completions[2]
    assert all("image" not in line for line in blind)
    assert all(a["image"] != b["image"] for a, b in zip(own, swapped, strict=True))
    # Given again, the command asks nothing.
    before = {name: (results / name).read_bytes() for name in texts}
    run("test", "--policy", "tiny-counting", "--blind", "true", "--swap", "true")
    assert {name: (results / name).read_bytes() for name in texts} == before


@pytest.mark.parametrize("command", ["fit", "validate", "predict"])
@pytest.mark.parametrize("flag", ["blind", "swap"])
def test_only_test_asks_so(capsys, command, flag):
    with pytest.raises(SystemExit) as stop:
        run(command, f"--{flag}", "true")
    assert stop.value.code == 1
    assert f"--{flag} asks also with" in complaint(capsys)


def test_a_module_that_cannot_be_asked_so_is_named(capsys, folder):
    config = folder / "own.yaml"
    model, data = "tests.cli.test_training_cli.Line", "tests.cli.test_training_cli.Ones"
    config.write_text(f"model: {{class_path: {model}}}\ndata: {{class_path: {data}}}\n")
    with pytest.raises(SystemExit) as stop:
        main(["test", "--config", str(config), "--swap", "true"])
    assert stop.value.code == 1
    assert "--swap: Line has no argument swap" in complaint(capsys)


@pytest.mark.parametrize("command", ["test", "validate", "predict"])
def test_evaluating_a_last_checkpoint_that_is_not_there_is_refused(capsys, command):
    with pytest.raises(SystemExit) as stop:
        run(command, "--ckpt_path", "last")
    assert stop.value.code == 1
    assert "no checkpoint in outputs/sft/counting/checkpoints: " in complaint(capsys)
    assert not Path("outputs").exists()


def test_training_from_a_last_checkpoint_that_is_not_there_begins_and_says_so(caplog, recwarn):
    begins = "no checkpoint in outputs/sft/counting/checkpoints: starting from the beginning"
    with caplog.at_level("INFO"):
        run("fit", "--ckpt_path", "last", "--trainer.max_steps", "1")
    assert begins in caplog.messages
    assert not [w for w in recwarn if "no last checkpoint" in str(w.message)]


def test_a_last_checkpoint_that_is_there_is_taken(folder, caplog):
    saving = ModelCheckpoint(folder / "here", save_last=True)
    trainer = Trainer(callbacks=[saving], logger=False, accelerator="cpu")
    with pytest.raises(BadInput, match=r"no checkpoint in here: "):
        last_checkpoint(trainer, "test", "last")
    (folder / "here").mkdir()
    (folder / "here" / "last-v1.ckpt").touch()
    with caplog.at_level("INFO"):
        last_checkpoint(trainer, "test", "last")
        last_checkpoint(trainer, "fit", "last")
    assert "no checkpoint" not in caplog.text


def test_a_trainer_without_checkpoints_has_no_last_one(folder):
    trainer = Trainer(enable_checkpointing=False, logger=False, accelerator="cpu")
    with pytest.raises(BadInput, match=r"no checkpoint in \.: "):
        last_checkpoint(trainer, "test", "last")
    last_checkpoint(trainer, "test", None)
    last_checkpoint(trainer, "test", "some.ckpt")
