"""The recipes that ask an endpoint, by the command and committed configurations."""

import csv
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from reasonrft.cli import main
from tests.evaluation.serving import Answer, Served, said, serving
from tests.rewards.judging import KEY, asked, blocks

pytestmark = pytest.mark.filterwarnings("ignore")
CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SMALL = {
    "model.sampling.max_tokens": 96,
    "model.group_size": 4,
    "data.batch_size": 2,
    "data.source.train": 8,
    "data.source.val": 1,
    "data.source.test": 1,
    "data.source.workers": 1,
    "trainer.max_steps": 2,
    "trainer.limit_val_batches": 0,
    "trainer.limit_test_batches": 0,
    "trainer.enable_progress_bar": "false",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    # Handlers of other libraries write where a test before was captured.
    monkeypatch.setattr(logging, "raiseExceptions", False)


def fit(recipe: str, server: Served, **options: object) -> list[dict[str, float]]:
    """The metrics of each step."""
    configs = [f"--config={CONFIGS / name}" for name in ("grpo.yaml", f"recipes/{recipe}.yaml")]
    given = SMALL | {key.replace("__", "."): value for key, value in options.items()}
    args = [f"--{key}={value}" for key, value in given.items()]
    main(["fit", *configs, "--endpoint", server.url, *args])
    *_, file = sorted(Path("outputs", recipe).glob("counting/csv/version_*/metrics.csv"))
    rows = csv.DictReader(file.open())
    return [
        {key: float(value) for key, value in row.items() if value}
        for row in rows
        if row["train/reward"]
    ]


def kept() -> str:
    """All that a run has written, but weights."""
    files = [path for path in Path().rglob("*") if path.suffix not in (".safetensors", ".ckpt")]
    return "".join(path.read_text(errors="replace") for path in files if path.is_file())


def test_a_judged_run_that_was_stopped_goes_on_and_pays_nothing_twice(capsys):
    answered: list[str] = []
    limit = [1]

    def judge(number: int, body: dict[str, Any]) -> Answer:
        if len(answered) >= limit[0]:
            return Answer(401, {"error": {"message": f"no more for {KEY}"}})
        answered.append(asked(body))
        return said(f"Near.\nGrade: {len(answered) % 10}")

    prefix = "model__rewards__judge__init_args__"
    # All is judged, and one after the other: one reply is there when the key is refused.
    options = {f"{prefix}rule_first": "false", f"{prefix}endpoint__concurrency": 1}
    with serving(judge) as server:
        with pytest.raises(SystemExit) as stop:
            fit("judge", server, **options)
        assert stop.value.code == 1
        told = capsys.readouterr().err.splitlines()[-1]
        assert re.search(r"reward 'judge' on problem .* refuses the key in OPENAI_API_KEY", told)
        assert KEY not in told
        limit[0] = 1000
        steps = fit("judge", server, **options)
    assert len(answered) == len(set(answered)) > 2
    names = ("calls", "cache_hits", "unasked", "failures", "early_calls")
    done = {name: sum(row[f"train/judge/{name}"] for row in steps) for name in names}
    assert done["calls"] == len(answered) - 1
    assert done["failures"] == 0 and done["early_calls"] > 0 and len(steps) == 2
    # Of two prompts and four completions in each of two steps.
    assert done["calls"] + done["cache_hits"] + done["unasked"] == 16
    assert all(0 <= row["train/reward/judge"] <= 1 for row in steps)
    out = capsys.readouterr().out
    assert f"judge: {done['calls']:.0f} calls to judge at {server.url}" in out
    assert KEY not in kept() and "OPENAI_API_KEY" in kept()


def test_a_run_is_paid_for_descriptions():
    rights: list[bool] = []

    def reason(number: int, body: dict[str, Any]) -> Answer:
        """Right about every other description."""
        assert len(blocks(body)) == 1
        rights.append(len(rights) % 2 == 0)
        return said(f"<answer>{gold_of(asked(body)) if rights[-1] else 99}</answer>")

    with serving(reason) as server:
        steps = fit("captioning", server)
    calls, repeated = (
        sum(row[f"train/caption/{name}"] for row in steps) for name in ("calls", "cache_hits")
    )
    assert len(steps) == 2 and calls == len(server.bodies) > 0
    paid = 8 * sum(row["train/reward/caption"] for row in steps)  # two prompts, four completions
    assert sum(rights) <= paid <= sum(rights) + repeated
    assert KEY not in kept()


def gold_of(text: str) -> str:
    """The right answer to the problem whose question stands in a text."""
    files = Path("data").glob("*/train-*/counting-train.json")
    rows = [row for file in files for row in json.loads(file.read_text())]
    (answer,) = {row["answer"] for row in rows if row["problem"] in text}
    return answer
