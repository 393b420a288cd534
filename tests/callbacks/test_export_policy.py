import pytest
from safetensors.torch import load_file

from reasonrft.callbacks import ExportPolicy
from reasonrft.policy import Lora
from tests.modules.fitting import fit, module

pytestmark = pytest.mark.filterwarnings("ignore")


def files(folder) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.safetensors")}


@pytest.mark.parametrize(
    ("adapter", "merge", "expected"),
    [
        (None, True, {"policy/model.safetensors"}),
        (Lora(rank=2), False, {"adapter/adapter_model.safetensors"}),
        (Lora(rank=2), True, {"policy/model.safetensors", "adapter/adapter_model.safetensors"}),
    ],
)
def test_a_run_leaves_its_policy_behind(family_folder, tmp_path, adapter, merge, expected):
    one = module(family_folder("qwen3-vl"), adapter=adapter)
    fit(one, {}, callbacks=[ExportPolicy(merge)], max_steps=2, default_root_dir=tmp_path)
    assert files(tmp_path) == expected
    if adapter is None:
        held = load_file(tmp_path / "policy" / "model.safetensors")
        trained = dict(one.policy.model.named_parameters())
        name = next(name for name in held if "language_model.layers.0.mlp" in name)
        assert held[name].equal(trained[name].detach())


def test_a_dry_run_leaves_nothing_behind(family_folder, tmp_path):
    one = module(family_folder("qwen3-vl"))
    fit(one, {}, callbacks=[ExportPolicy()], fast_dev_run=1, default_root_dir=tmp_path)
    assert not files(tmp_path)
