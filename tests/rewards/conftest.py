import pytest

from tests.rewards.judging import KEY


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for variable in ("TEST_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(variable, KEY)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
