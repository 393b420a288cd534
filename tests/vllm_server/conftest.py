"""What these tests share: small models, and servers of one kind at a time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vllm_server.serving import ADAPTERS, PYTHON, Server, serve
from tests.vllm_server.small_model import save_model


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip them where nobody asked for servers."""
    if not PYTHON:
        for item in items:
            if item.path.is_relative_to(Path(__file__).parent):
                item.add_marker(pytest.mark.skip(reason="needs vLLM: make test-vllm"))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"), tied=True)


@pytest.fixture(scope="session")
def untied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with a head of its own: vLLM renews no other on a CPU."""
    return save_model(tmp_path_factory.mktemp("untied"), tied=False)


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
