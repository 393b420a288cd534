"""What tests with real vLLM servers share."""

from pathlib import Path

import pytest

from tests.vllm_server.small_model import save_model


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))
