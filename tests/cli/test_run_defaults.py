"""What a run has without saying so, and how its user says otherwise."""

from pathlib import Path

import pytest
import yaml

from reasonrft.cli.run_defaults import complete
from tests.cli.running import SMALL, SMALL_GRPO, run, stopped

pytestmark = pytest.mark.filterwarnings("ignore")

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
GRPO = "fit --config grpo.yaml"
STACK = [
    "TQDMProgressBar",
    "ModelCheckpoint",
    "LearningRateMonitor",
    "ReasoningMonitor",
    "HostMemory",
    "SampleGallery",
    "ExportPolicy",
    "BeforeAndAfter",
    "TrainingCurves",
]


def effective(capsys, command: str, **options: object) -> dict:
    """The whole configuration of a command, as `--print_config` has it."""
    with pytest.raises(SystemExit) as stop:
        run(f"{command} --print_config", **options)
    assert not stop.value.code
    return yaml.safe_load(capsys.readouterr().out)


def names(callbacks: list[dict]) -> list[str]:
    return [callback["class_path"].rpartition(".")[2] for callback in callbacks]


def test_no_config_is_long():
    lengths = {path: len(path.read_text().splitlines()) for path in CONFIGS.rglob("*.yaml")}
    assert not {path.name for path, lines in lengths.items() if lines > 40}


def test_reinforcement_has_loggers_callbacks_and_one_seed(capsys):
    config = effective(capsys, GRPO, seed_everything=7, **{"trainer.max_steps": 3})
    trainer = config["trainer"]
    assert trainer["default_root_dir"] == "outputs/grpo/counting"
    assert (trainer["use_distributed_sampler"], trainer["num_sanity_val_steps"]) == (False, 0)
    assert names(trainer["logger"]) == ["TensorBoardLogger", "CSVLogger"]
    assert {logger["init_args"]["save_dir"] for logger in trainer["logger"]} == {
        "outputs/grpo/counting"
    }
    assert names(trainer["callbacks"]) == STACK
    last = trainer["callbacks"][1]["init_args"]
    # After 25 steps, but a run of 3 ends before.
    assert (last["every_n_train_steps"], last["save_last"]) == (3, True)
    assert (config["model"]["init_args"]["seed"], config["data"]["init_args"]["seed"]) == (7, 7)
    assert config["model"]["init_args"]["policy"]["path"] == "tiny-counting"


def test_fine_tuning_keeps_the_best_validation_too(capsys):
    trainer = effective(capsys, "fit --config sft.yaml")["trainer"]
    best = trainer["callbacks"][2]
    assert names([best]) == ["BestCheckpoint"]
    assert best["init_args"]["monitor"] == "val/counting/val/accuracy"
    assert trainer["log_every_n_steps"] == 10


def test_what_the_user_says_counts(capsys):
    own = {
        "model.seed": 3,
        "trainer.default_root_dir": "mine",
        "trainer.use_distributed_sampler": "false",
        "trainer.log_every_n_steps": 4,
        "name": "ignored",
    }
    config = effective(capsys, GRPO, **own)
    assert (config["model"]["init_args"]["seed"], config["data"]["init_args"]["seed"]) == (3, 0)
    assert config["trainer"]["default_root_dir"] == "mine"
    assert config["trainer"]["log_every_n_steps"] == 4


def test_loggers_are_replaced_and_callbacks_are_added(capsys):
    own = (
        '[{"class_path": "EarlyStopping", "init_args": {"monitor": "val/x"}},'
        ' {"class_path": "BeforeAndAfter", "init_args": {"limit": 5}}]'
    )
    options = {"trainer.logger": "CSVLogger", "trainer.logger.save_dir": "x"}
    trainer = effective(capsys, GRPO, **options, **{"trainer.callbacks": own})["trainer"]
    assert trainer["logger"]["class_path"].endswith(".CSVLogger")
    assert names(trainer["callbacks"]) == [*STACK, "EarlyStopping"]
    (measured,) = (own for own in trainer["callbacks"] if names([own]) == ["BeforeAndAfter"])
    assert measured["init_args"]["limit"] == 5


def test_loggers_checkpoints_the_bar_and_callbacks_can_be_switched_off(capsys):
    off = {
        "trainer.logger": "false",
        "trainer.enable_checkpointing": "false",
        "trainer.enable_progress_bar": "false",
    }
    trainer = effective(capsys, GRPO, **off)["trainer"]
    assert trainer["logger"] is False
    assert names(trainer["callbacks"]) == STACK[3:]
    trainer = effective(capsys, GRPO, **{"trainer.callbacks": "[]"})["trainer"]
    assert trainer["callbacks"] == []
    trainer = effective(capsys, f"{GRPO} --trainer.callbacks+=RichProgressBar")["trainer"]
    assert names(trainer["callbacks"]) == [*STACK[1:], "RichProgressBar"]


def test_a_configuration_in_effect_completes_to_itself():
    def config() -> dict:
        return {
            "policy": "tiny",
            "model": {"class_path": "reasonrft.modules.GRPOModule"},
            "data": {"class_path": "reasonrft.datamodules.CountingDataModule"},
        }

    once = config()
    complete(once, "fit", ["grpo"])
    again = yaml.safe_load(yaml.safe_dump(once))
    complete(again, "fit", ["run_config"])
    assert again == once


def test_interpolation_may_name_the_folder_of_the_run(capsys, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(
        "trainer: {logger: {class_path: CSVLogger, init_args: {save_dir: "
        '"${trainer.default_root_dir}/metrics"}}}'
    )
    config = effective(capsys, f"{GRPO} --config {own}")
    saved = config["trainer"]["logger"]["init_args"]["save_dir"]
    assert saved == "outputs/grpo/counting/metrics"


def test_the_run_is_named_by_its_first_config_or_by_name(capsys):
    layered = effective(capsys, "fit --config sft.yaml --config data/structure.yaml")
    assert layered["trainer"]["default_root_dir"] == "outputs/sft/structure"
    named = effective(capsys, "fit --config sft.yaml --config ans_sft.yaml")
    assert named["trainer"]["default_root_dir"] == "outputs/ans_sft/counting"
    assert effective(capsys, GRPO, name="x")["trainer"]["default_root_dir"] == "outputs/x/counting"


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("seed_everything", -1, "seed_everything is -1: use a number from 0 to 4294967295"),
        ("model.optimizer.lr", "nan", "model.optimizer.lr: expected float"),
        (
            "model.optimizer.lr",
            ".inf",
            "model.optimizer.lr is inf: use a finite number that is not negative",
        ),
        (
            "model.policy.dtype",
            "bfloat16",
            "model.policy.dtype bfloat16 needs trainer.precision bf16-mixed: images and what is "
            "trained are in float32",
        ),
        (
            "model.policy.train_parts",
            "[]",
            "model.policy.train_parts is empty: name at least one of language, projector, tower",
        ),
        (
            "trainer.use_distributed_sampler",
            "true",
            "trainer.use_distributed_sampler must be false: the datamodule orders its problems "
            "itself, over all processes",
        ),
    ],
)
def test_values_out_of_range_are_refused(capsys, option, value, expected):
    assert stopped(capsys, GRPO, **{option: value}) == expected


def test_what_is_missing_is_asked_for(capsys):
    assert stopped(capsys, "fit").startswith("there is no model: give a config that names one")
    told = stopped(capsys, "fit --model=SFTModule --policy tiny")
    assert told.startswith("there are no problems: give --problems FILE")
    told = stopped(capsys, "fit --model=SFTModule --data=CountingDataModule")
    assert told.startswith("there is no policy: give --policy NAME")


def test_a_strategy_is_named_by_its_class_too(capsys):
    for name in ("DDPStrategy", "lightning.pytorch.strategies.DDPStrategy"):
        config = effective(capsys, GRPO, **{"trainer.strategy": name})
        assert config["trainer"]["strategy"]["class_path"].endswith(".DDPStrategy")
    told = stopped(capsys, GRPO, **{"trainer.strategy": "nonsense"} | SMALL_GRPO)
    assert told.startswith("trainer: You selected an invalid strategy name")


def test_grpo_runs_whole_and_leaves_what_it_promises(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run(GRPO, **SMALL_GRPO, **{"trainer.val_check_interval": 1})
    home = tmp_path / "outputs" / "grpo" / "counting"
    for name in (
        "tensorboard/version_0/run_config.yaml",
        "csv/version_0/metrics.csv",
        "checkpoints/last.ckpt",
        "policy/model.safetensors",
        "policy/config.json",
        "samples.html",
        "summary.json",
        "summary.md",
    ):
        assert (home / name).stat().st_size > 0, name
    columns = (home / "csv/version_0/metrics.csv").read_text().splitlines()[0].split(",")
    assert {"train/reward", "train/reward/accuracy", "train/completion_length"} <= set(columns)
    assert {"val/counting/id/accuracy", "lr-AdamW/pg1", "perf/host_rss"} <= set(columns)
    assert "Visual counting" in capsys.readouterr().out
    saved = home / "tensorboard/version_0/run_config.yaml"
    assert names(yaml.safe_load(saved.read_text())["trainer"]["callbacks"]) == STACK[1:]
    # What was in effect runs as it is, and goes on where it ended.
    run(f"fit --config {saved} --ckpt_path last", **{"trainer.max_steps": 3})
    assert "train/reward" in (home / "csv/version_1/metrics.csv").read_text()


def test_the_best_validation_of_fine_tuning_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("fit --config sft.yaml", **SMALL, **{"trainer.val_check_interval": 1})
    kept = {file.name for file in (tmp_path / "outputs/sft/counting/checkpoints").iterdir()}
    assert kept == {"last.ckpt", "best.ckpt"}
