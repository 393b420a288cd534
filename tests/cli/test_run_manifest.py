"""A run goes on as what it was, or is told to go on in spite of what has changed."""

import resource
from pathlib import Path

import pytest
import torch

from reasonrft.cli.run_manifest import adapt
from tests.cli.running import SMALL as TWO_STEPS
from tests.cli.running import run, stopped

pytestmark = pytest.mark.filterwarnings("ignore")

SMALL = TWO_STEPS | {"trainer.max_epochs": 2}
SCHEDULE = {"model.scheduler": "WarmupCosine", "model.scheduler.warmup_steps": 1}
FIT = "fit --config sft.yaml --policy tiny"
LAST = Path("outputs/sft/counting/checkpoints/last.ckpt")


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """Where a run of two steps has ended."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("begun"))
        run(FIT, **SMALL | SCHEDULE)
        yield Path.cwd()


@pytest.fixture
def begun(folder):
    """The run's checkpoint; whatever a test makes of it, the next one begins with the same."""
    content = (folder / LAST).read_bytes()
    yield folder / LAST
    (folder / LAST).write_bytes(content)


def steps(path: Path) -> int:
    return int(torch.load(path, weights_only=True)["global_step"])


def test_what_is_harmless_is_told(begun, caplog):
    more = {"trainer.max_steps": 3, "data.workers": 1, "data.source.val": 1}
    with caplog.at_level("INFO"):
        run(f"{FIT} --ckpt_path last", **SMALL | SCHEDULE | more)
    assert f"changed since {begun}:" in caplog.text
    assert "trainer.max_steps: 2 -> 3" in caplog.text and "data.workers: 0 -> 1" in caplog.text
    assert "not what would have come" not in caplog.text
    assert steps(begun) == 3
    assert sorted(path.name for path in begun.parent.glob("*last*")) == [
        "last.ckpt",
        "previous-last.ckpt",
    ]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"seed_everything": 1}, "seed_everything: 0 -> 1, model.seed: 0 -> 1, data.seed: 0 -> 1"),
        ({"data.batch_size": 1}, "batch.examples: 2 -> 1"),
        ({"data.source.train": 3}, "problems.number: 4 -> 3"),
        (
            {"model.scheduler": "torch.optim.lr_scheduler.ConstantLR"},
            "model.scheduler.class_path: reasonrft.modules.WarmupCosine -> torch.optim",
        ),
        ({"model.optimizer": "torch.optim.SGD"}, "-> torch.optim.SGD"),
        ({"model.optimizer.lr": 0.5}, " -> 0.5"),
    ],
)
def test_what_would_be_another_run_is_refused_and_can_be_gone_on_with(
    begun, changed, said, capsys, caplog
):
    schedule = {} if "model.scheduler" in changed else SCHEDULE
    options = SMALL | schedule | {"trainer.max_steps": 3} | changed
    sentence = stopped(capsys, f"{FIT} --ckpt_path last", **options)
    assert f"{begun} is of another run (" in sentence and said in sentence
    assert sentence.endswith("or go on in spite of them with --resume_changed true")
    assert steps(begun) == 2

    with caplog.at_level("INFO"):
        run(f"{FIT} --ckpt_path last --resume_changed true", **options)
    assert "though it is of another run" in caplog.text
    assert steps(begun) == 3


def test_master_weights_of_another_optimizer_are_left_out():
    state = {"combined_loader": []}
    checkpoint = {"optimizer_states": [{}], "lr_schedulers": [{}]}
    checkpoint["loops"] = {"fit_loop": {"state_dict": state}}
    adapt(checkpoint, {"model.master_weights": (True, False)})
    assert checkpoint["optimizer_states"] == checkpoint["lr_schedulers"] == []


def test_where_the_last_is_gone_the_one_before_is_taken(begun, capsys, caplog):
    before = begun.with_name("previous-last.ckpt")
    begun.rename(before)
    with caplog.at_level("INFO"):
        run(f"{FIT} --ckpt_path last", **SMALL | SCHEDULE | {"trainer.max_steps": 3})
    assert "taking the one before, outputs/sft/counting/checkpoints/previous-last" in caplog.text
    assert (steps(begun), steps(before)) == (3, 2)


def test_a_cut_off_checkpoint_is_named_and_the_one_before_is_offered(begun, capsys):
    content = begun.read_bytes()
    begun.with_name("previous-last.ckpt").write_bytes(content)
    begun.write_bytes(content[:5000])
    for command in (FIT, "test --config sft.yaml --policy tiny"):
        sentence = stopped(capsys, f"{command} --ckpt_path last", **SMALL | SCHEDULE)
        assert sentence.startswith(f"{begun} is cut off")
        assert "--ckpt_path" in sentence and "previous-last.ckpt" in sentence


def test_a_full_disk_ends_the_run_and_leaves_the_checkpoint(begun, capsys):
    before = begun.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
        options = SMALL | SCHEDULE | {"trainer.max_steps": 3}
        sentence = stopped(capsys, f"{FIT} --ckpt_path last", **options)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sentence.startswith(f"{begun} cannot be written (File too large); the one before is as")
    assert begun.read_bytes() == before
    assert not list(begun.parent.glob(".*"))


def test_a_checkpoint_is_tested_whatever_its_run_was(begun, capsys):
    run("test --config sft.yaml --policy tiny --ckpt_path last", **SMALL | {"seed_everything": 5})
    assert "another run" not in capsys.readouterr().err
