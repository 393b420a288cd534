import asyncio

import pytest

from reasonrft.rollout.replicas import Replica
from reasonrft.rollout.vllm_client import Client, Limits, Refused, Unreachable
from tests.evaluation.serving import Answer, serving

LIMITS = Limits(connect=2, request=0.2, patience=1)


def post(url: str, path: str = "/x", load: bool = False):
    async def call():
        async with Client(LIMITS, "SERVER_KEY") as client:
            replica = Replica(url.removesuffix("/v1"))
            return await (client.load if load else client.post)(replica, path, {"a": 1})

    return asyncio.run(call())


def test_answers_are_json_or_text(monkeypatch):
    monkeypatch.setenv("SERVER_KEY", "k-of-this-test")
    with serving(lambda *_: Answer(body={"b": 2})) as server:
        assert post(server.url) == {"b": 2}
        server.respond = lambda *_: Answer(body="Success: loaded.")
        assert post(server.url, load=True) == "Success: loaded."
        assert server.keys == ["Bearer k-of-this-test"] * 2
        assert server.paths == ["/x"] * 2 and server.bodies == [{"a": 1}] * 2


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (Answer(503, {"error": {"message": "busy"}}), Unreachable, "503: busy"),
        (Answer(500, {"error": {"message": "EngineCore died"}}), Unreachable, "EngineCore died"),
        (Answer(404, {"detail": "Not Found"}), Refused, "404: Not Found"),
        (Answer(400, {"error": "no k-of-this-test"}), Refused, r"400: no \*\*\*$"),
        (Answer(after=0.5), Unreachable, "no answer in time"),
        (Answer(body="{}", claimed=9), Unreachable, "."),
    ],
)
def test_answers_that_are_none(answer, kind, message, monkeypatch):
    monkeypatch.setenv("SERVER_KEY", "k-of-this-test")
    with serving(lambda *_: answer) as server, pytest.raises(kind, match=message):
        post(server.url)


def test_what_cannot_be_loaded_stays_so():
    with serving(lambda *_: Answer(500, {"error": "rank 16 is too high"})) as server:
        with pytest.raises(Refused, match="500: rank 16"):
            post(server.url, load=True)
        server.respond = lambda *_: Answer(500, {"error": "EngineCore encountered an issue"})
        with pytest.raises(Unreachable, match="EngineCore"):
            post(server.url, load=True)


def test_nobody_is_there():
    with pytest.raises(Unreachable, match="connection"):
        post("http://127.0.0.1:9")
