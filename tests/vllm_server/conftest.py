"""What these tests share: small models, and servers of one kind at a time."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from transformers import AutoConfig, AutoModelForImageTextToText

from tests.policy.families import save_family
from tests.vllm_server.serving import ADAPTERS, PYTHON, Server, serve


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip them where nobody asked for servers."""
    if not PYTHON:
        for item in items:
            if item.path.is_relative_to(Path(__file__).parent):
                item.add_marker(pytest.mark.skip(reason="needs vLLM: make test-vllm"))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_family("qwen3-vl", tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def untied(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a head of its own: vLLM renews no other on a CPU."""
    folder = tmp_path_factory.mktemp("untied")
    shutil.copytree(model, folder, dirs_exist_ok=True)
    config = AutoConfig.from_pretrained(model)
    config.tie_word_embeddings = config.text_config.tie_word_embeddings = False
    separate = AutoModelForImageTextToText.from_pretrained(model, config=config)
    separate.lm_head.weight.data.copy_(separate.get_input_embeddings().weight)
    separate.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def replicas(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Two servers of one model, which take adapters."""
    with serve(model, tmp_path_factory.mktemp("replicas"), 2, *ADAPTERS) as servers:
        yield servers


@pytest.fixture(scope="module")
def plain(untied: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes no adapters."""
    with serve(untied, tmp_path_factory.mktemp("plain"), 1) as servers:
        yield servers[0]
