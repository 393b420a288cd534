"""The client against a real HTTP server."""

import asyncio
import base64
import io
import time
import traceback

import pytest
from PIL import Image

from reasonrft.errors import BadInput
from reasonrft.evaluation.chat_messages import Reply, read_reply, write_messages
from reasonrft.evaluation.endpoint_address import split_address
from reasonrft.evaluation.endpoint_client import Endpoint
from reasonrft.problems import Problem
from tests.evaluation.serving import Answer, said, serving
from tests.starting import Forked, run_file

KEY = "sk-of-this-test"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("TEST_KEY", KEY)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def client(tmp_path):
    """Makes clients that try twice, with a common cache."""

    def make(server, **options):
        options = {"retries": 1, "timeout": 5.0, **options}
        folder = str(tmp_path / "replies")
        return Endpoint(server.url, "a-model", "TEST_KEY", cache=folder, **options)

    return make


def image(kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(file, format=kind)
    return file.getvalue()


def question(number: int = 0, images=(), **meta) -> Problem:
    return Problem(f"q{number}", "counting", tuple(images), f"How many, {number}?", "3", meta=meta)


def ask(endpoint, count: int = 1):
    problems = [question(number) for number in range(count)]
    return endpoint.ask_all(problems, [problem.question for problem in problems], 64)


def test_a_question_with_its_image(client):
    with serving(lambda number, body: said("3")) as server:
        endpoint = client(server)
        (reply,) = endpoint.ask_all([question(images=[image()])], ["How many?"], 64)
    assert reply == Reply("3", prompt_tokens=1000, tokens=10, truncated=False)
    assert server.paths == ["/v1/chat/completions"]
    assert server.keys == [f"Bearer {KEY}"]
    url = "data:image/png;base64," + base64.b64encode(image()).decode()
    content = [{"type": "image_url", "image_url": {"url": url}}]
    assert server.bodies == [
        {
            "model": "a-model",
            "messages": [
                {"role": "user", "content": [*content, {"type": "text", "text": "How many?"}]}
            ],
            "max_tokens": 64,
            "temperature": 0,
        }
    ]


def test_fields_of_a_request_are_added_replaced_and_left_out(client):
    fields = {"max_completion_tokens": 9, "seed": 1, "model": "b-model"}
    with serving(lambda number, body: said("3")) as server:
        ask(client(server, request=fields, omit=["temperature", "max_tokens"]))
    (body,) = server.bodies
    assert body == {**fields, "messages": body["messages"]}


def test_without_a_key_none_is_sent(client, monkeypatch):
    monkeypatch.delenv("TEST_KEY")
    with serving(lambda number, body: said("3")) as server:
        ask(client(server))
    assert server.keys == [None]


def test_answers_keep_the_order_of_their_questions(client):
    def slow_first(number, body):
        text = body["messages"][0]["content"][0]["text"]
        return Answer(body=said(text).body, after=0.2 if "0?" in text else 0.0)

    with serving(slow_first) as server:
        replies = ask(client(server, concurrency=4), 8)
    assert [reply.text for reply in replies] == [f"How many, {n}?" for n in range(8)]


def test_the_second_time_the_cache_answers_and_costs_nothing(client):
    with serving(lambda number, body: said(f"answer {number}")) as server:
        first = client(server, prices=(2.5, 10.0))
        once = ask(first, 5)
        # 5 x (1000 x 2.5 + 10 x 10) / 1e6
        assert first.cost == pytest.approx(0.013)
        again = client(server, prices=(2.5, 10.0))
        assert ask(again, 5) == once
        assert (again.cost, again.requests_sent, len(server.bodies)) == (0, 0, 5)
        other = client(server, request={"seed": 2})
        ask(other, 5)
        assert len(server.bodies) == 10


def test_a_damaged_cache_is_asked_over(client, tmp_path):
    with serving(lambda number, body: said("3")) as server:
        ask(client(server))
        (file,) = (tmp_path / "replies").rglob("*.json")
        file.write_text('{"text": "3')
        assert ask(client(server))[0].text == "3"
        assert len(server.bodies) == 2


def test_401_is_final_and_does_not_show_the_key(client, monkeypatch):
    refusal = Answer(401, {"error": {"message": "Incorrect API key provided"}})
    with serving(lambda number, body: refusal) as server:
        with pytest.raises(BadInput, match=r"refuses the key in TEST_KEY \(401: Incorrect") as no:
            ask(client(server))
        assert KEY not in str(no.value)
        assert len(server.bodies) == 1
        monkeypatch.delenv("TEST_KEY")
        with pytest.raises(BadInput, match="wants a key in the variable TEST_KEY"):
            ask(client(server))


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_a_key_that_the_server_repeats_is_struck_out(client, status):
    echo = Answer(status, {"error": {"message": f"Incorrect API key {KEY}, Bearer {KEY}"}})
    message = r"Incorrect API key \*\*\*, Bearer \*\*\*"
    with serving(lambda *_: echo) as server, pytest.raises(BadInput, match=message) as no:
        ask(client(server, retries=0))
    shown = "".join(traceback.format_exception(no.value))
    assert KEY not in shown


def test_a_key_in_garbage_is_struck_out(client):
    message, echo = r"beginning with '<p>\*\*\*</p>'", Answer(body=f"<p>{KEY}</p>")
    with serving(lambda *_: echo) as server, pytest.raises(BadInput, match=message) as no:
        ask(client(server))
    assert KEY not in "".join(traceback.format_exception(no.value))


def test_a_key_that_cannot_be_sent_is_not_shown(client, monkeypatch):
    monkeypatch.setenv("TEST_KEY", "sk-one\nsk-two")
    message = "the key in TEST_KEY has characters"
    with serving(lambda *_: said("3")) as server, pytest.raises(BadInput, match=message) as no:
        ask(client(server))
    assert "sk-" not in str(no.value)


def test_429_waits_as_long_as_it_is_told(client):
    def busy_once(number, body):
        return said("3") if number else Answer(429, "", {"Retry-After": "1"})

    with serving(busy_once) as server:
        endpoint = client(server)
        assert ask(endpoint)[0].text == "3"
        assert endpoint.requests_sent == 2
        assert server.times[1] - server.times[0] >= 1


def test_429_for_ever_is_one_sentence(client):
    busy = Answer(429, {"error": {"message": "Rate limit reached"}}, {"Retry-After": "0"})
    with serving(lambda number, body: busy) as server:
        told = r"answers 429: Rate limit reached; given up after 2 tries: what is answered"
        with pytest.raises(BadInput, match=told):
            ask(client(server))
        assert len(server.bodies) == 2


def test_a_wait_that_is_too_long_is_not_waited(client):
    busy = Answer(429, "", {"Retry-After": "86400"})
    with serving(lambda number, body: busy) as server:
        with pytest.raises(BadInput, match="given up after 1 try and 86400 s to wait"):
            ask(client(server))
        assert len(server.bodies) == 1


PASSED = "Sat, 01 Jan 2022 00:00:00 GMT"


@pytest.mark.parametrize("told", [PASSED, "", "soon", "nan", "-1", "9" * 5000 + "x"])
def test_a_retry_after_that_is_no_number(client, told):
    def busy_once(number, body):
        return said("3") if number else Answer(503, "", {"Retry-After": told})

    with serving(busy_once) as server:
        assert ask(client(server))[0].text == "3"


@pytest.mark.parametrize("status", [500, 502, 503, 529])
def test_a_failing_server_is_asked_again_and_then_given_up(client, status):
    with serving(lambda number, body: Answer(status, "oops")) as server:
        with pytest.raises(BadInput, match=rf"answers {status}; given up after 2 tries"):
            ask(client(server))
        assert len(server.bodies) == 2
        server.respond = lambda number, body: said("3") if number > 2 else Answer(status)
        assert ask(client(server))[0].text == "3"


@pytest.mark.parametrize("status", [301, 307, 400, 404, 422])
def test_other_statuses_are_final(client, status):
    answer = Answer(status, {"error": {"message": "no such model"}}, {"Location": "/elsewhere"})
    with serving(lambda number, body: answer) as server:
        with pytest.raises(BadInput, match=f"answers {status}: no such model"):
            ask(client(server))
        assert len(server.bodies) == 1


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>Welcome</html>",
        "[" * 100_000,
        "null",
        "[]",
        {},
        {"choices": []},
        {"choices": [{}]},
        {"choices": [{"message": {"content": 3}}]},
        {"choices": [{"message": {"content": "3"}}], "usage": {"prompt_tokens": "many"}},
        {"choices": [{"message": {"content": "3"}}], "usage": "none"},
    ],
)
def test_garbage_is_one_sentence(client, body):
    with serving(lambda number, _: Answer(body=body)) as server:
        with pytest.raises(BadInput, match="no chat completion, beginning with") as no:
            ask(client(server))
        assert "\n" not in str(no.value)
        assert len(server.bodies) == 1


def test_silence_and_broken_connections_are_asked_again(client):
    def unsteady(number, body):
        return [Answer(after=1.0), Answer(body='{"choi', claimed=100), said("3")][number]

    with serving(unsteady) as server:
        endpoint = client(server, timeout=0.3, retries=2)
        assert ask(endpoint)[0].text == "3"
        assert endpoint.requests_sent == 3


def test_nobody_there_is_one_sentence(client):
    with serving(lambda number, body: said("3")) as server:
        endpoint = client(server)
    with pytest.raises(BadInput, match=r"no answer from http://127.*[Cc]onnect.*after 2 tries"):
        ask(endpoint)


def test_silence_for_ever_is_one_sentence(client):
    message = r"no answer from http://127.*\(silent for 0\.1 s\); given up after 1 try"
    silent = Answer(after=0.5)
    with serving(lambda *_: silent) as server, pytest.raises(BadInput, match=message):
        ask(client(server, timeout=0.1, retries=0))


def test_a_model_that_is_not_there_is_named(client):
    unknown = Answer(404, {"error": {"message": "The model does not exist"}})
    message = r"404: The model does not exist; .* a model 'a-model'"
    with serving(lambda *_: unknown) as server, pytest.raises(BadInput, match=message):
        ask(client(server))


def test_it_works_where_an_event_loop_runs(client):
    async def notebook(endpoint):
        return ask(endpoint)

    with serving(lambda number, body: said("3")) as server:
        assert asyncio.run(notebook(client(server)))[0].text == "3"


@pytest.mark.parametrize(
    ("option", "value"),
    [("concurrency", 0), ("retries", -1), ("timeout", 0), ("requests_per_minute", -3)],
)
def test_options_out_of_range_are_refused(option, value):
    with pytest.raises(BadInput, match=f"{option}={value} is out of range; use"):
        Endpoint("http://localhost", "a-model", **{option: value})


def test_one_fault_ends_all_questions(client):
    def refuse_first(number, body):
        text = body["messages"][0]["content"][0]["text"]
        return Answer(404) if "0?" in text else Answer(503, "", {"Retry-After": "30"})

    with serving(refuse_first) as server:
        begun = time.monotonic()
        with pytest.raises(BadInput, match="answers 404"):
            ask(client(server, concurrency=2), 20)
        assert time.monotonic() - begun < 25  # and not the 30 that the others should wait
        assert len(server.bodies) < 20


def test_requests_keep_their_distance(client):
    with serving(lambda number, body: said("3")) as server:
        ask(client(server, requests_per_minute=600), 5)
    # 600 a minute are 0.1 s apart; the last of five comes 0.4 s after the first.
    assert max(server.times) - min(server.times) >= 0.35


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://host:8000", "http://host:8000/v1"),
        ("http://host:8000/v1/", "http://host:8000/v1"),
        ("https://host/v1beta/openai", "https://host/v1beta/openai"),
        ("https://host/v1/chat/completions", "https://host/v1"),
    ],
)
def test_addresses(url, base):
    assert split_address(url, "KEY") == (base, {})


def test_a_version_in_the_query_is_sent(tmp_path):
    with serving(lambda number, body: said("3")) as server:
        url = f"{server.url}?api-version=preview"
        ask(Endpoint(url, "a-model", "TEST_KEY", cache=str(tmp_path)))
    assert server.paths == ["/v1/chat/completions?api-version=preview"]


@pytest.mark.parametrize(
    "url", ["host/v1", "ftp://host", "http://", "http://host:port", "http://["]
)
def test_what_is_no_address(url):
    with pytest.raises(BadInput, match="is not an address like https"):
        split_address(url, "KEY")
    with pytest.raises(BadInput, match="which endpoint"):
        split_address(None, "KEY")


@pytest.mark.parametrize(
    "url",
    [
        "http://me:s3cret@host/v1",
        "http://s3cret@host/v1",
        "me:s3cret@host",
        "https://host/v1?key=s3cret",
        "https://host/v1?s3cret",
        "https://host/v1?api-version=1&token=s3cret",
    ],
)
def test_a_secret_in_the_address_is_refused_and_not_shown(url):
    with pytest.raises(BadInput, match="environment variable KEY") as no:
        split_address(url, "KEY")
    assert "s3cret" not in str(no.value)


def test_images_stand_where_their_tags_do():
    problem = question(images=[image(), image("JPEG")], history=[["<image>A?", "a"]])
    first, second, third = write_messages(problem, "Then <image> what?")
    assert [part["type"] for part in first["content"]] == ["image_url", "text"]
    assert second == {"role": "assistant", "content": "a"}
    assert [part["type"] for part in third["content"]] == ["text", "image_url", "text"]
    assert third["content"][1]["image_url"]["url"].startswith("data:image/jpeg;")


def test_images_without_tags_lead_and_the_system_speaks_first():
    problem = question(images=[image("BMP")], system="Be brief.", history=[["A?", "a"]])
    system, first, *_ = write_messages(problem, "B?")
    assert system == {"role": "system", "content": "Be brief."}
    assert first["content"][0]["image_url"]["url"].startswith("data:image/png;")


@pytest.mark.parametrize("data", [b"no image", b"\x89PNG\r\n\x1a\n"])
def test_a_bad_image_names_its_problem(data):
    with pytest.raises(BadInput, match="problem 'q0': "):
        write_messages(question(images=[data]), "How many?")
    with pytest.raises(BadInput, match="2 <image> tags for 1 "):
        write_messages(question(images=[image()]), "<image><image>")


def test_a_refusal_is_an_empty_answer_and_a_long_one_is_cut():
    assert read_reply(said(None).body).text == ""
    assert read_reply(said("1, 2,", finish_reason="length").body).truncated
    assert read_reply({"choices": [{"message": {"content": "3"}}]}).tokens == 0


def test_the_openai_package_is_imported_only_where_an_endpoint_is_asked(tmp_path):
    code = "import reasonrft.cli.training_cli, sys; print('openai' in sys.modules)"
    (tmp_path / "imports.py").write_text(code)
    # In a process that has imported nothing else but what trains.
    assert Forked(tmp_path, run_file, tmp_path / "imports.py", []).result() == "False\n"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(body=" " * (17 << 20)), "an answer of more than 16 MiB"),
        (Answer(body=" " * 1000, trickle=0.02), "an answer that was not whole after 2 s"),
        (Answer(body="x", headers={"Content-Encoding": "gzip"}), "a compressed answer"),
    ],
)
def test_an_answer_without_end_is_given_up(client, answer, reason):
    with serving(lambda number, body: answer) as server:
        with pytest.raises(BadInput, match=f"no answer from .*{reason}"):
            ask(client(server, timeout=0.2, retries=0))
        assert len(server.bodies) == 1


def test_a_key_that_an_answer_repeats_is_kept_nowhere(client, tmp_path):
    with serving(lambda number, body: said(f"your key is {KEY}")) as server:
        (reply,) = ask(client(server))
    assert reply.text == "your key is ***"
    assert KEY not in "".join(path.read_text() for path in tmp_path.rglob("*.json"))
