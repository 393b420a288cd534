import pytest
from lightning.pytorch import LightningDataModule, LightningModule, Trainer

import reasonrft.cli.training_cli  # noqa: F401  gives classes their short names
from reasonrft.cli.one_sentence import OneSentenceParser


def say(capsys, *args: str) -> str:
    parser = OneSentenceParser(parser_mode="omegaconf+")
    parser.add_lightning_class_args(Trainer, "trainer")
    parser.add_lightning_class_args(LightningModule, "model", subclass_mode=True, required=False)
    parser.add_lightning_class_args(LightningDataModule, "data", subclass_mode=True, required=False)
    with pytest.raises(SystemExit) as stop:
        parser.parse_args([*args])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("reasonrft: ") and said.count("\n") == 1
    return said.removeprefix("reasonrft: ").strip()


SFT = ("--model=SFTModule", "--model.policy.path=tiny")


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (
            (*SFT, "--model.optimizer=torch.optim.AdamX"),
            "model.optimizer: there is no torch.optim.AdamX; did you mean Adam?",
        ),
        (
            (*SFT, "--model.optimizer=torch.optim.AdamW", "--model.optimizer.lrr=1"),
            "model.optimizer: AdamW has no option 'lrr'; did you mean lr?",
        ),
        (
            (*SFT, "--model.optimizer=foo.Adam"),
            "model.optimizer: No module named 'foo'",
        ),
        (
            (*SFT, "--model.optimiser.lr=1"),
            "model: SFTModule has no option 'optimiser.lr'; did you mean optimizer?",
        ),
        (
            (*SFT, '--model.policy.adapter={"rnk": 3}'),
            "model.policy.adapter: Lora has no option 'rnk'; did you mean rank?",
        ),
        (
            ("--data=DataModul",),
            "data: there is no class DataModul; give one of reasonrft, or a whole class_path",
        ),
        (
            ("--data=CountingDataModule", "--data.target=x"),
            "data.target: expected one of ['cot', 'answer']",
        ),
        (
            ("--data=nothing.yaml",),
            "data: Expected a path but nothing.yaml either not accessible or invalid",
        ),
        (
            ("--trainer.max-epochs=3",),
            "there is no option 'trainer.max-epochs'; did you mean trainer.max_epochs?",
        ),
        (("--trainer.max_epochs=x",), "trainer.max_epochs: expected int"),
    ],
)
def test_a_fault_is_one_sentence_that_says_where_and_what(capsys, args, expected):
    assert say(capsys, *args) == expected
