"""What the command line promises, on a module of a few lines instead of the real ones."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningDataModule, LightningModule
from torch.utils.data import DataLoader

from reasonrft.cli import main


class Line(LightningModule):
    """Fits one weight."""

    seen: "Line"

    def __init__(self, rate: float = 0.1, name: str = "line") -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.rate, self.name = rate, name
        self.save_hyperparameters()
        Line.seen = self

    def training_step(self, batch, index):
        return ((self.weight * batch - batch) ** 2).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.rate)


class Ones(LightningDataModule):
    def __init__(self, size: int = 4) -> None:
        super().__init__()
        self.size = size

    def train_dataloader(self):
        return DataLoader(torch.ones(self.size, 1), batch_size=2)


CONFIG = """
seed_everything: 7
trainer:
  accelerator: cpu
  max_epochs: 1
  logger: false
  enable_progress_bar: false
  enable_model_summary: false
  enable_checkpointing: false
model:
  class_path: tests.cli.test_training_cli.Line
  init_args:
    rate: 0.5
    name: run-${seed_everything}
data:
  class_path: tests.cli.test_training_cli.Ones
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return str(path)


@pytest.mark.filterwarnings("ignore")
def test_fit_trains_from_a_config(config):
    main(["fit", "--config", config])
    assert Path(config).read_text() == CONFIG
    # Two steps of rate 1/2 on (w - 1)²: w = 0 → 1 → 1.
    assert Line.seen.weight.item() == pytest.approx(1.0)
    assert Line.seen.name == "run-7"


@pytest.mark.filterwarnings("ignore")
def test_interpolation_follows_the_command_line_and_later_configs(config, tmp_path):
    main(["fit", "--config", config, "--seed_everything", "11"])
    assert Line.seen.name == "run-11"
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("model: {init_args: {rate: 0.25}}\nseed_everything: 13\n")
    main(["fit", "--config", config, "--config", str(overlay)])
    assert (Line.seen.name, Line.seen.rate) == ("run-13", 0.25)


@pytest.mark.filterwarnings("ignore")
def test_a_checkpoint_does_not_override_the_command_line(config, tmp_path):
    main(["fit", "--config", config, "--trainer.enable_checkpointing", "true"])
    (checkpoint,) = tmp_path.rglob("*.ckpt")
    resumed = ["--trainer.max_epochs", "2", "--ckpt_path", str(checkpoint)]
    main(["fit", "--config", config, *resumed, "--model.rate", "0.125", "--resume_changed", "true"])
    assert Line.seen.rate == 0.125


@pytest.mark.filterwarnings("ignore")
def test_an_unknown_key_is_named(config, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["fit", "--config", config, "--model.init_args.rat", "1"])
    assert stop.value.code == 2
    assert "rat" in capsys.readouterr().err
