import json
import re
import sys
from pathlib import Path

import pytest

from reasonrft.cli import main
from reasonrft.reward_command import read_rows

ROWS = [
    {"completion": "<think>a</think><answer>3</answer>", "solution": "3"},
    {"completion": "<think>a</think><answer>4</answer>", "solution": 3},
    {"completion": "3", "solution": "<answer> 3 </answer>"},
]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def run(*args) -> int:
    try:
        main(["score", *map(str, args)])
    except SystemExit as stop:
        return stop.code
    return 0


def scores(out: str) -> list:
    return [json.loads(line)["score"] for line in out.splitlines() if '"score"' in line]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", [1, 0, 1]),
        ("strict", [1, 0, 1]),
        ("official", [1, 0, 1]),
        ("scripts", [1, 0, 1]),
        ("reference.math_accuracy", [1, 0, 1]),
        ("reference.eval_clevr", [1, 0, 1]),
        ("format", [1, 1, 0]),
        ("FormatReward", [1, 1, 0]),
        ("reasonrft.rewards.AccuracyReward", [1, 0, 1]),
        ("reasonrft.tasks.CountingTask", [1, 0, 1]),
    ],
)
def test_rows_keep_their_order_and_get_a_score(file, capsys, name, expected):
    assert run(file, "--with", name) == 0
    out = capsys.readouterr().out
    assert scores(out) == expected
    assert out.splitlines()[-1] == f"3 rows, mean {sum(expected) / 3:.4f}"


def test_output_and_json(file, tmp_path, capsys):
    output = tmp_path / "out" / "scored.jsonl"
    assert run(file, "--with=strict", "--output", output, "--json") == 0
    assert scores(output.read_text()) == [1, 0, 1]
    assert json.loads(capsys.readouterr().out) == {"rows": 3, "mean": pytest.approx(2 / 3)}


def test_arguments_of_the_reward(file, capsys):
    assert run(file, "--with", "AccuracyReward", "--with.profile", "paper") == 0
    assert scores(capsys.readouterr().out) == [1, 0, 1]


def test_predictions_of_the_release(tmp_path, capsys):
    path = tmp_path / "trance.json"
    calls = "change_color(2, cyan)"
    path.write_text(json.dumps([{"pred": f"<answer>\n{calls}\n</answer>", "solution": calls}]))
    assert run(path, "--with", "official") == 0
    assert scores(capsys.readouterr().out) == [1]


def test_groups_for_rewards_that_compare(tmp_path, capsys):
    path = tmp_path / "groups.jsonl"
    row = {"completions": ["3", "3     "], "solution": "3", "current_step": 800}
    path.write_text(json.dumps(row))
    assert run(path, "--with", "reference.len") == 0
    assert scores(capsys.readouterr().out) == [[0.025, -0.025]]


DOCS = Path(__file__).resolve().parents[1] / "docs" / "rewards.md"
BROKEN = """
class Broken(Reward):
    def reward(self, completion, problem):
        return float("nan")
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (example,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    (tmp_path / "own.py").write_text(example + BROKEN)
    monkeypatch.delitem(sys.modules, "own", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "moves.jsonl"
    path.write_text('{"completion": "<think>a</think><answer>Qh5+</answer>", "solution": "Qh5"}')
    return path


def test_own_reward_and_own_task_by_class_path(own, capsys):
    assert run(own, "--with", "own.Brief") == 0
    assert scores(capsys.readouterr().out) == [1]
    assert run(own, "--with", "own.Brief", "--with.limit", "10") == 0
    assert scores(capsys.readouterr().out) == [0]
    assert run(own, "--with", "own.Chess") == 0
    assert scores(capsys.readouterr().out) == [1]
    assert run(own, "--with", "strict", "--task", "own.Chess") == 0
    assert scores(capsys.readouterr().out) == [1]


def test_a_reward_that_is_not_a_number_is_refused(own, capsys):
    assert run(own, "--with", "own.Broken", "--output", "scored.jsonl") == 1
    assert "row 1: Broken returned nan, not a number" in capsys.readouterr().err
    assert not (own.parent / "scored.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ("<html>", "row 1 is not JSON"),
        ("3", "row 1 is not a JSON object"),
        ('{"text": "3", "solution": "3"}', "no completion or pred or completions among its keys"),
        ('{"completion": "3"}', "no solution or answer among its keys"),
        ('{"completion": 3, "solution": "3"}', "completion is not text"),
        ('{"completion": "3", "solution": [3]}', "solution is neither text nor a number"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_bad_rows_are_one_sentence_and_nothing_is_written(tmp_path, capsys, text, message):
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    assert run(path, "--with", "strict", "--output", tmp_path / "out.jsonl") == 1
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert str(path) in err
    assert not (tmp_path / "out.jsonl").exists()


def test_missing_file_and_unknown_name(file, capsys):
    assert run(file.with_name("no.jsonl"), "--with", "strict") == 1
    assert "no such file" in capsys.readouterr().err
    assert run(file, "--with", "unheard_of") == 2
    assert "no reward is called 'unheard_of'" in capsys.readouterr().err
    assert run(file, "--with", "no.such.Reward") == 2
    assert "cannot import" in capsys.readouterr().err


def test_format_needs_no_solution(tmp_path, capsys):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"completion": "<think>a</think><answer>b</answer>"}')
    assert run(path, "--with", "format") == 0
    assert scores(capsys.readouterr().out) == [1]


def test_golden_rows_through_the_command(real, tmp_path, capsys):
    golden = json.loads((real / "reward_golden" / "golden.json").read_text())["rows"]
    for name in ("accuracy", "trance_penalty", "eval_geomath_enhance", "eval_trance"):
        rows = [row for row in golden if row["fn"] == name]
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert run(path, "--with", f"reference.{name}", "--output", tmp_path / "out.jsonl") == 0
        found = [row["score"] for row in read_rows(tmp_path / "out.jsonl")]
        assert found == pytest.approx([row["score"] for row in rows])
