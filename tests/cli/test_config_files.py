from pathlib import Path

import pytest

from reasonrft.cli.config_files import (
    config_names,
    find_config,
    shipped_configs,
    with_config_paths,
)
from reasonrft.errors import BadInput


@pytest.mark.parametrize("name", ["grpo.yaml", "configs/grpo.yaml", "data/structure.yaml"])
def test_what_ships_is_found_by_name_from_any_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config(name) == shipped_configs() / name.removeprefix("configs/")


def test_a_file_in_the_folder_of_the_command_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grpo.yaml").write_text("seed_everything: 1\n")
    assert find_config("grpo.yaml") == Path("grpo.yaml")


def test_configs_are_found_however_the_option_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    args = ["fit", "--config", "sft.yaml", "-c=lora.yaml", "--policy", "sft.yaml"]
    found = with_config_paths(args)
    home = shipped_configs()
    assert found[2:4] == [str(home / "sft.yaml"), f"-c={home / 'lora.yaml'}"]
    assert found[4:] == ["--policy", "sft.yaml"]
    assert config_names(found) == ["sft", "lora"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("trainer:\n  a: [1\n", "line 3, is not YAML"),
        ("", "has no keys"),
        ("- 1\n", "has no keys"),
    ],
)
def test_a_config_that_cannot_be_read_is_named(content, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text(content)
    with pytest.raises(BadInput, match=f"own.yaml.*{message}"):
        with_config_paths(["fit", "--config", "own.yaml"])


def test_a_config_that_is_not_there_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=r"no config grpoo.yaml, neither in .*; did you mean grpo"):
        find_config("grpoo.yaml")
    shipped = "those that ship are ans_sft.yaml, curriculum.yaml, data/counting.yaml"
    with pytest.raises(BadInput, match=shipped):
        find_config("folder/xyz.yml")
    with pytest.raises(BadInput, match="--config needs a file"):
        with_config_paths(["fit", "--config", "--policy"])
    with pytest.raises(BadInput, match="--config needs a file"):
        with_config_paths(["fit", "--config"])
