"""The first hour on data of one's own: one command, any configuration, any shape of records."""

from pathlib import Path

import pytest
import yaml

from reasonrft.cli.problem_options import joined_flags, use_own_problems
from reasonrft.errors import BadInput
from tests.cli.own_records import SHAPES, write_csv, write_image_folder, write_json
from tests.cli.running import run, stopped

pytestmark = pytest.mark.filterwarnings("ignore")

BRIEF = {
    "trainer.accelerator": "cpu",
    "trainer.enable_progress_bar": "false",
    "trainer.max_steps": 2,
    "model.answer_tokens": 2,
    "data.batch_size": 2,
}
"""Nothing but what keeps a run short."""
BRIEF_GRPO = BRIEF | {"model.group_size": 2, "model.sampling.max_tokens": 4}


@pytest.mark.parametrize("shape", SHAPES)
def test_records_of_every_shape_train_by_one_command(shape, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own").mkdir()
    path = SHAPES[shape](tmp_path / "own").relative_to(tmp_path)
    run(f"fit --config configs/grpo.yaml --problems {path}", **BRIEF_GRPO)
    (home,) = tmp_path.glob("outputs/grpo/*")
    assert (home / "policy/model.safetensors").is_file()
    assert (home / "checkpoints/last.ckpt").is_file()
    config = yaml.safe_load((home / "tensorboard/version_0/run_config.yaml").read_text())
    assert config["data"]["class_path"] == "reasonrft.datamodules.GeneralDataModule"
    assert config["data"]["init_args"]["batch_size"] == 2


def test_part_is_held_out_unless_a_test_is_named(tmp_path, monkeypatch, capfd, caplog):
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "own", 40)
    write_csv(tmp_path / "new", 6)
    with caplog.at_level("INFO"):
        run("fit --config grpo.yaml --problems own/train.json", **BRIEF_GRPO)
        run(
            "fit --config grpo.yaml --problems own/train.json --test-problems new/squares.csv",
            **BRIEF_GRPO,
        )
    lines = [line for line in caplog.text.splitlines() if line.startswith("problems")]
    assert "36 to train on, 4 of val (validation)" in lines[0]
    assert "40 to train on" in lines[1] and "6 of squares" in lines[1]


@pytest.mark.parametrize(
    ("configs", "options"),
    [
        ("sft.yaml --config ans_sft.yaml", BRIEF),
        ("grpo.yaml --config data/structure.yaml --config lora.yaml", BRIEF_GRPO),
        (
            "sft.yaml --config paper/sft.yaml --config paper/counting.yaml",
            BRIEF | {"policy": "tiny"},
        ),
        ("grpo.yaml --config paper/grpo.yaml --config data/transformation.yaml", BRIEF_GRPO),
    ],
)
def test_any_configuration_takes_them(
    configs, options, family_folder, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "own", 12)
    more = {"data.target": "answer"} if "sft" in configs else {}
    more |= {"policy": family_folder("qwen3-vl"), "trainer.precision": "32-true"}
    run(f"fit --config {configs} --problems own/train.json", **options | more)


def test_every_command_takes_them(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    write_image_folder(tmp_path, 6)
    short = {name: BRIEF[name] for name in BRIEF if name != "trainer.max_steps"}
    for command in ("validate", "test", "predict"):
        run(f"{command} --config grpo.yaml --problems squares --test-problems squares", **short)
    assert "squares" in capfd.readouterr().out
    (answers,) = tmp_path.glob("outputs/grpo/squares/evaluation/*/answers.jsonl")
    assert len(answers.read_text().splitlines()) == 6


def test_what_the_user_set_of_the_data_goes_on_to_hold():
    given = {
        "problems": ["x.json"],
        "data": {
            "class_path": "reasonrft.datamodules.StructureDataModule",
            "init_args": {
                "source": {"class_path": "Drawn"},
                "val_splits": ["id"],
                "batch_size": 3,
                "target": "answer",
            },
        },
    }
    with pytest.raises(BadInput, match=r"x\.json"):
        use_own_problems(given)
    assert given["data"]["init_args"]["batch_size"] == 3


def test_several_files_are_trained_on_together(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "own", 8)
    write_csv(tmp_path / "new", 8)
    given = {
        "problems": ["own/train.json", "new/squares.csv"],
        "test_problems": "own/train.json",
        "data": {"init_args": {"batch_size": 3, "val_splits": ["id"]}},
    }
    use_own_problems(given)
    assert given["data"]["class_path"] == "reasonrft.datamodules.GeneralDataModule"
    arguments = given["data"]["init_args"]
    assert (arguments["batch_size"], arguments["val_splits"]) == (3, None)
    assert list(arguments["source"]["init_args"]["sources"]) == ["own", "squares"]


def test_flags_may_be_repeated_and_written_either_way():
    args = "fit --problems a.json --policy tiny --problems=b.json --test-problems t.csv".split()
    assert joined_flags(args) == [
        "fit",
        "--policy",
        "tiny",
        '--problems=["a.json", "b.json"]',
        '--test_problems=["t.csv"]',
    ]
    with pytest.raises(BadInput, match="--problems needs a file, a folder or a hub name"):
        joined_flags(["--problems", "--policy"])


def test_a_typo_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = write_json(tmp_path / "own", 8)
    told = stopped(capsys, "fit --config grpo.yaml --problems own/tain.json", **BRIEF_GRPO)
    assert "own/tain.json" in told
    path.write_text(path.read_text().replace("images/", "image/"))
    with pytest.raises(SystemExit) as stop:
        run("fit --config grpo.yaml --problems own/train.json", **BRIEF_GRPO)
    told = capsys.readouterr().err.splitlines()
    assert (stop.value.code, len(told)) == (1, 2)  # eight times the same is said once
    assert "8 faults" in told[0] and "no such file" in told[1] and "image/000.png" in told[1]
    told = stopped(capsys, "fit --config grpo.yaml --problem own/train.json", **BRIEF_GRPO)
    assert "there is no option 'problem'; did you mean problems?" in told
    assert not Path("outputs").exists()
