"""Calls in the background, against a real HTTP server."""

import gc
import threading

import pytest

from reasonrft.evaluation.chat_messages import Reply
from reasonrft.evaluation.endpoint_calls import EndpointCalls
from reasonrft.evaluation.endpoint_errors import NoReply
from tests.evaluation.serving import Answer, said, serving
from tests.rewards.judging import endpoint


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def say(text: str):
    return lambda: [{"role": "user", "content": text}]


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "endpoint calls"]


def test_the_same_at_the_same_time_is_asked_once(tmp_path):
    here = threading.Event()

    def answer(number, body):
        assert here.wait(30)
        return said(body["messages"][0]["content"])

    with serving(answer) as server:
        calls = EndpointCalls(endpoint(server, tmp_path), 30.0, 16)
        futures = [calls.begin(say(text)) for text in ("a", "b", "a")]
        nothing = calls.begin(lambda: None)
        assert nothing.result(30) is None and not futures[0].done()
        here.set()
        replies = [future.result(30) for future in futures]
        assert [one.reply for one in replies] == [Reply(text, 1000, 10) for text in "aba"]
        assert [one.paid for one in replies] == [True, True, False]
        assert calls.begin(say("b")).result(30).paid is False
        assert len(server.bodies) == 2
        assert server.bodies[0]["max_tokens"] == 16


def test_a_call_has_a_time_with_all_that_is_tried_again(tmp_path):
    busy = Answer(503, "", {"Retry-After": "30"})
    with serving(lambda *_: busy) as server:
        calls = EndpointCalls(endpoint(server, tmp_path, retries=5), 0.3, 16)
        with pytest.raises(NoReply, match=r"^no answer from http://.* within 0\.3 s$"):
            calls.begin(say("a")).result(30)
        # It can be asked again.
        server.respond = lambda *_: said("b")
        calls.seconds = 30.0
        assert calls.begin(say("a")).result(30).reply.text == "b"


def test_a_call_may_wait_for_its_turn(tmp_path):
    """Three at one a second: the last one's turn comes after 2 s, and a call may take 1.5 s."""
    with serving(lambda *_: said("b")) as server:
        client = endpoint(server, tmp_path, requests_per_minute=60, concurrency=3)
        assert client.longest_turn == 3.0
        calls = EndpointCalls(client, 1.5, 16)
        replies = [future.result(30) for future in [calls.begin(say(text)) for text in "abc"]]
    assert [one.reply.text for one in replies] == ["b"] * 3


def test_a_question_that_cannot_be_written_fails_alone(tmp_path):
    with serving(lambda *_: said("b")) as server:
        calls = EndpointCalls(endpoint(server, tmp_path), 30.0, 16)
        failing = calls.begin(lambda: [{}[0]])
        with pytest.raises(KeyError):
            failing.result(30)
        assert calls.begin(say("a")).result(30).reply.text == "b"


def test_its_thread_ends_with_it(tmp_path):
    gc.collect()
    before = len(threads())
    with serving(lambda *_: said("b")) as server:
        calls = EndpointCalls(endpoint(server, tmp_path), 30.0, 16)
        calls.begin(say("a")).result(30)
        assert len(threads()) == before + 1
        del calls
        gc.collect()
        assert len(threads()) == before
