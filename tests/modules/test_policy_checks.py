"""The checks before the first update."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from reasonrft.cli.command_line import main
from reasonrft.errors import BadInput
from reasonrft.modules import GRPOModule, SFTModule
from reasonrft.modules.policy_checks import check_images_matter
from reasonrft.policy import Policy
from reasonrft.policy.export_model import save_merged
from reasonrft.rollout import Sampling
from tests.datamodules.reading import quiet
from tests.modules.fitting import Capitals, data, difference, weights
from tests.policy.families import FAMILIES
from tests.policy.problems import generate, groups_of, ragged

pytestmark = pytest.mark.filterwarnings("ignore")


def blind(folder: Path, target: Path) -> Path:
    """The same model, whose projector writes zeros whatever the tower sees."""
    policy = Policy(str(folder))
    policy.load()
    for name, value in policy.model.named_parameters():
        if "merger" in name or "multi_modal_projector" in name:
            value.data.zero_()
    save_merged(policy.model, policy.processor, target)
    return target


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "mllama"])
def test_every_family_sees_its_images(family, family_folder):
    policy = Policy(str(family_folder(family)))
    policy.load()
    batch = ragged(policy)
    groups = groups_of(batch, generate(policy, batch, 2, Sampling(max_tokens=4)))
    gap = check_images_matter(policy, groups)
    assert gap is not None and gap > 0
    # Alone, a problem is compared with its images inverted; without images there is nothing to do.
    assert check_images_matter(policy, groups[:1]) != 0
    assert check_images_matter(policy, groups[3:]) is None


@pytest.mark.parametrize("stage", ["sft", "grpo"])
def test_a_policy_that_does_not_see_its_images_stops_before_the_first_update(
    stage, family_folder, tmp_path
):
    policy = Policy(str(blind(family_folder("qwen3-vl"), tmp_path / "blind")))

    def optimizer(params):
        return torch.optim.SGD(params, 0.5)

    module = (
        SFTModule(policy, optimizer)
        if stage == "sft"
        else GRPOModule(
            policy,
            {"capitals": Capitals()},
            group_size=4,
            sampling=Sampling(max_tokens=4),
            optimizer=optimizer,
        )
    )
    module.configure_model()
    before = weights(module)
    with pytest.raises(BadInput, match="does not see its images: the log-probs of completions"):
        quiet(max_steps=1, max_epochs=-1).fit(module, data(batch_size=4))
    assert difference(before, weights(module)) == 0


def test_a_policy_that_sees_logs_the_gap(family_folder):
    module = SFTModule(
        Policy(str(family_folder("qwen3-vl"))), lambda params: torch.optim.SGD(params, 0.5)
    )
    trainer = quiet(max_steps=1, max_epochs=-1)
    trainer.fit(module, data(batch_size=4))
    assert trainer.callback_metrics["train/image_gap"] > 0


def test_fit_on_the_command_line_refuses_a_blind_policy(tmp_path, monkeypatch, capsys):
    folder = blind(Path("tiny-counting"), tmp_path / "blind")
    Image.new("RGB", (96, 64), "red").save(tmp_path / "a.png")
    Image.new("RGB", (96, 64), "blue").save(tmp_path / "b.png")
    (tmp_path / "own.jsonl").write_text(
        '{"image": "a.png", "question": "How many red?", "answer": "1"}\n'
        '{"image": "b.png", "question": "How many red?", "answer": "0"}\n'
        '{"image": "b.png", "question": "How many blue?", "answer": "1"}\n'
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(
            ["fit", "--config", "grpo.yaml", "--problems", "own.jsonl", "--policy", str(folder)]
            + ["--model.sampling.max_tokens", "8", "--trainer.max_steps", "1"]
        )
    assert stopped.value.code == 1
    assert "does not see its images" in capsys.readouterr().err
