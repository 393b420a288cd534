"""Evaluation against a real HTTP server, through a real Trainer and the command line."""

import json
from pathlib import Path

import pytest

from reasonrft.cli import main
from reasonrft.errors import BadInput
from reasonrft.evaluation.endpoint_client import Endpoint
from reasonrft.modules import EndpointModule
from tests.evaluation.serving import Answer, said, serving
from tests.modules.answering import data, trainer

pytestmark = pytest.mark.filterwarnings("ignore")

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "endpoint.yaml"


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-this-test")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def counted(number: int, body: dict) -> Answer:
    """The right answer to a question "id-07: how many?" where it is even, and else 77."""
    *images, words = body["messages"][0]["content"]
    assert [part["type"] for part in images] == ["image_url"]
    right = int(words["text"].partition(":")[0].rpartition("-")[2])
    return said(f"<think>t</think><answer>{right if right % 2 == 0 else 77}</answer>")


def module(server, results: str = "results", **options) -> EndpointModule:
    options = {"retries": 1, "concurrency": 2, **options}
    return EndpointModule(Endpoint(server.url, "gpt-test", **options), 16, results)


def accuracies(folder: str = "results") -> dict[str, float]:
    splits = json.loads((Path(folder) / "summary.json").read_text())["tasks"]["counting"]
    return {name: found["strict"] for name, found in splits.items()}


def test_every_split_is_asked_and_scored(capsys):
    with serving(counted) as server:
        run = trainer(".")
        run.test(module(server, prices=(2.0, 10.0)), data())
        assert len(server.bodies) == 15
    assert accuracies() == {"id": 0.5, "ood-domain": 0.6}
    assert float(run.callback_metrics["test/counting/id/tokens"]) == 10
    out = capsys.readouterr().out
    assert "gpt-test: accuracy in %" in out
    # 15 x (1000 x 2 + 10 x 10) / 1e6
    assert "15 requests, 15,000 + 150 tokens, cost 0.0315" in out
    summary = json.loads(Path("results/summary.json").read_text())
    assert summary["identity"] == {
        "policy": "gpt-test",
        "endpoint": f"{server.url}/chat/completions",
        "request": {},
        "omit": [],
    }


def test_a_second_evaluation_asks_nothing():
    with serving(counted) as server:
        trainer(".").test(module(server), data())
        trainer(".").test(module(server), data())  # from the answers
        trainer(".").test(module(server, "elsewhere"), data())  # from the cache
        assert len(server.bodies) == 15
    assert accuracies("elsewhere") == accuracies("results")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Answer(401), "refuses the key in OPENAI_API_KEY"),
        (Answer(429, "", {"Retry-After": "0"}), "answers 429; given up after 2 tries"),
        (Answer(500), "answers 500; given up after 2 tries"),
        (Answer(body="<html>"), "no chat completion"),
    ],
)
def test_an_evaluation_that_failed_goes_on(fault, message):
    def failing(number, body):
        return counted(number, body) if number < 6 else fault

    with serving(failing) as server:
        with pytest.raises(BadInput, match=message):
            trainer(".").test(module(server, concurrency=1), data())
        assert len(Path("results/answers.jsonl").read_text().splitlines()) == 5
        answered = {body["messages"][0]["content"][1]["text"] for body in server.bodies[:6]}
        server.respond = counted
        again = module(server, concurrency=1)
        trainer(".").test(again, data())
        assert again.endpoint.requests_sent == 9
    assert len(answered) == 6
    assert accuracies() == {"id": 0.5, "ood-domain": 0.6}


def test_prediction_and_validation():
    with serving(counted) as server:
        run = trainer(".")
        run.validate(module(server), data(), verbose=False)
        assert float(run.callback_metrics["val/counting/val/accuracy"]) == 0.5
        run.predict(module(server), data())
    assert len(Path("results/predictions.jsonl").read_text().splitlines()) == 15


def command(url: str) -> list[str]:
    return [
        *("test", "--config", str(CONFIG), "--endpoint", url),
        *("--data", "CountingDataModule", "--data.source", "tests.modules.answering.MadeUp"),
        *("--trainer.enable_progress_bar", "false"),
        *("--model.endpoint.retries", "0", "--model.endpoint.model", "gpt-other"),
        *("--model.endpoint.request", '{"seed": 1}', "--model.endpoint.omit", '["max_tokens"]'),
    ]


def test_the_command_with_its_committed_configuration(capsys):
    with serving(counted) as server:
        main(command(server.url))
        assert server.bodies[0].keys() == {"model", "messages", "temperature", "seed"}
        assert server.bodies[0]["model"] == "gpt-other"
    (folder,) = Path("outputs/endpoint/evaluation").iterdir()
    assert folder.name.startswith("gpt-other-")
    assert accuracies(str(folder)) == {"id": 0.5, "ood-domain": 0.6}
    out = capsys.readouterr().out
    places = [out.index(text) for text in ("Visual counting", f"{folder}/report.md", "15 requests")]
    assert places == sorted(places)


@pytest.mark.parametrize("status", [401, 429, 500])
def test_bad_answers_are_one_sentence_of_the_command(capsys, status):
    with serving(lambda *_: Answer(status)) as server, pytest.raises(SystemExit) as stop:
        main(command(server.url))
    assert stop.value.code == 1
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("reasonrft:")]
    assert len(told) == 1 and str(status) in told[0]


def holders(secret: str) -> list[Path]:
    """Files below the working folder that hold a text."""
    files = [path for path in Path().rglob("*") if path.is_file()]
    return [path for path in files if secret.encode() in path.read_bytes()]


def test_a_password_in_the_address_is_neither_shown_nor_kept(capsys):
    with pytest.raises(SystemExit) as stop:
        main(command("http://me:s3cret@127.0.0.1:9/v1"))
    assert stop.value.code == 1
    captured = capsys.readouterr()
    assert "OPENAI_API_KEY" in captured.err
    assert "s3cret" not in captured.out + captured.err
    assert holders("s3cret") == []


def test_a_key_is_neither_shown_nor_kept(capsys):
    echo = Answer(401, {"error": {"message": "Incorrect API key sk-of-this-test"}})
    with (
        serving(lambda n, body: counted(n, body) if n < 3 else echo) as server,
        pytest.raises(SystemExit),
    ):
        main([*command(server.url), "--model.endpoint.concurrency", "1"])
    captured = capsys.readouterr()
    assert "Incorrect API key ***" in captured.err
    assert "sk-of-this-test" not in captured.out + captured.err
    assert len(holders("<think>")) == 3 and holders("sk-of-this-test") == []
    assert [path.name for path in holders("endpoint:")] == ["run_config.yaml"]


@pytest.mark.parametrize(("url", "message"), [("null", "which endpoint"), ("x", "is not an addr")])
def test_an_address_is_needed(capsys, url, message):
    with pytest.raises(SystemExit) as stop:
        main(command(url))
    assert stop.value.code == 1
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("reasonrft:")]
    assert len(told) == 1 and message in told[0]


def test_an_endpoint_is_not_trained(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["fit", *command("http://localhost:9/v1")[1:]])
    assert stop.value.code == 1
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("reasonrft:")]
    assert len(told) == 1 and "training_step" in told[0]
