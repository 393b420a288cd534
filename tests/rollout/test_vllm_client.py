import asyncio

import pytest

from reasonrft.errors import BadInput
from reasonrft.rollout.vllm_client import (
    Client,
    Limits,
    Refused,
    Replica,
    Unreachable,
    least_busy,
    make_replicas,
    rest_seconds,
)
from tests.evaluation.serving import Answer, serving

LIMITS = Limits(connect=2, request=0.2, patience=1)


def test_the_least_busy_replica_is_asked():
    replicas = [
        Replica("a", in_flight=2),
        Replica("b", in_flight=1, requests=5),
        Replica("c", in_flight=1, requests=4),
        Replica("d", rests_until=10.0),
    ]
    assert least_busy(replicas, 9.0) is replicas[2]
    assert least_busy(replicas, 10.0) is replicas[3]
    assert least_busy(replicas[3:], 9.0) is None


def test_a_replica_rests_longer_each_time_and_forgets_that_when_it_answers():
    assert [rest_seconds(failures) for failures in (1, 2, 3, 9)] == [0.5, 1, 2, 30]
    replica = Replica("a", holds="weights", suspect=False)
    replica.rest(Unreachable(0, "no answer in time"))
    assert (replica.failures, replica.holds, replica.suspect) == (1, "", True)
    assert replica.fault == "no answer in time" and replica.rests_until > 0
    replica.answered()
    assert (replica.failures, replica.rests_until, replica.fault) == (0, 0, "")


def test_addresses():
    replicas = make_replicas(["http://a:8000", "https://b/v1/", "http://c:1/x"], "KEY")
    assert [replica.url for replica in replicas] == ["http://a:8000", "https://b", "http://c:1/x"]


@pytest.mark.parametrize(
    ("urls", "message"),
    [
        ([], "no server: give its urls"),
        (["http://a:1", "http://a:1/v1"], "name a server twice"),
        (["a:8000"], "not an address"),
        (["http://me:secret@a"], "in the environment variable KEY"),
    ],
)
def test_addresses_that_are_refused(urls, message):
    with pytest.raises(BadInput, match=message) as fault:
        make_replicas(urls, "KEY")
    assert "secret" not in str(fault.value)


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
