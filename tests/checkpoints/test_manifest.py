"""What makes a run another one, and what may change under it."""

from dataclasses import replace

import pytest
import torch
from lightning.pytorch import Callback

from reasonrft.checkpoints.manifest import changes, fingerprint_of, flatten, make_manifest
from tests.datamodules.reading import made_up
from tests.modules.fitting import PROBLEMS, data, module, quiet

CONFIG = {
    "seed_everything": 0,
    "ckpt_path": "last",
    "trainer": {"max_steps": 4, "precision": None, "callbacks": [{"class_path": "A"}]},
    "model": {
        "class_path": "SFTModule",
        "init_args": {
            "policy": {"path": "tiny", "quantize": None},
            "optimizer": {"class_path": "AdamW", "init_args": {"lr": 0.1, "fused": {}}},
        },
    },
    "data": {"class_path": "Data", "init_args": {"batch_size": 2, "seed": 0, "workers": 0}},
}
MANIFEST = dict(flatten(CONFIG))


def test_a_configuration_is_told_as_it_is_given_on_a_command_line():
    assert MANIFEST == {
        "seed_everything": 0,
        "ckpt_path": "last",
        "trainer.max_steps": 4,
        "trainer.precision": None,
        "trainer.callbacks": [{"class_path": "A"}],
        "model.class_path": "SFTModule",
        "model.policy.path": "tiny",
        "model.policy.quantize": None,
        "model.optimizer.class_path": "AdamW",
        "model.optimizer.lr": 0.1,
        "data.class_path": "Data",
        "data.batch_size": 2,
        "data.seed": 0,
        "data.workers": 0,
    }


@pytest.mark.parametrize(
    ("key", "is_harmless"),
    [
        ("trainer.max_steps", True),
        ("trainer.callbacks", True),
        ("trainer.devices", True),
        ("ranks", True),
        ("versions.torch", True),
        ("data.workers", True),
        ("model.micro_batch_tokens", True),
        ("trainer.precision", False),
        ("trainer.accumulate_grad_batches", False),
        ("seed_everything", False),
        ("data.seed", False),
        ("batch.examples", False),
        ("problems.digest", False),
        ("policy.path", False),
        ("model.optimizer.class_path", False),
        ("model.updates", False),
        ("model.group_size", False),
        ("model.an_argument_of_ones_own", False),
    ],
)
def test_only_what_leaves_the_update_alone_is_harmless(key, is_harmless):
    other, harmless = changes(MANIFEST, MANIFEST | {key: "new"})
    expected = {key: (MANIFEST.get(key, "not there"), "new")}
    assert (other, harmless) == (({}, expected) if is_harmless else (expected, {}))


def test_nothing_has_changed_in_the_same_run():
    assert changes(MANIFEST, dict(MANIFEST)) == ({}, {})


@pytest.mark.parametrize(
    "change", [{"id": "q"}, {"answer": "5"}, {"cot": "two"}, {"question": "?"}, {"choices": ("a",)}]
)
def test_a_fingerprint_knows_each_problem_and_their_order(change):
    problems = [made_up(number) for number in (1, 2, 3)]
    prints = {fingerprint_of(problems), fingerprint_of(reversed(problems))}
    assert len(prints | {fingerprint_of([*problems[:2], replace(problems[2], **change)])}) == 3
    assert fingerprint_of([made_up(number) for number in (1, 2, 3)]) in prints


class Keep(Callback):
    def on_train_start(self, trainer, pl_module) -> None:
        self.manifest = make_manifest(CONFIG, trainer, pl_module)


def test_a_manifest_tells_versions_policy_batch_and_data(family_folder, tmp_path):
    keep, folder = Keep(), family_folder("qwen3-vl")
    quiet(max_steps=1, callbacks=[keep]).fit(module(folder), data(batch_size=3))
    told = keep.manifest
    assert told["versions.torch"] == torch.__version__ and told["versions.reasonrft"]
    assert told["policy.path"] == str(folder.resolve()) and told["policy.commit"] is None
    assert (told["ranks"], told["batch.examples"], told["problems.number"]) == (1, 3, 8)
    assert told["problems.digest"] == fingerprint_of(PROBLEMS)
    # Told otherwise, or no part of what a run is.
    assert not {"data.batch_size", "model.policy.path", "ckpt_path"} & told.keys()
    path = tmp_path / "manifest.pt"
    torch.save(told, path)
    assert torch.load(path, weights_only=True) == told
