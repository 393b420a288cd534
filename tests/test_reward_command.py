import json
import re
import sys
from pathlib import Path

import pytest

from reasonrft.cli import main
from reasonrft.reward_command import read_rows
from reasonrft.tasks import title_of

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
from reasonrft.rewards import Reward

class Broken(Reward):
    def reward(self, completion, problem):
        return float("nan")

class Raising(Reward):
    def reward(self, completion, problem):
        return problem.meta["moves"]
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The files that docs/rewards.md shows, and a row for them."""
    examples = re.findall(r"```python\n# (\w+)\.py\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert [name for name, _ in examples] == ["my_reward", "my_task"]
    for name, text in [*examples, ("broken", BROKEN)]:
        assert len(text.splitlines()) <= 30
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "moves.jsonl"
    row = {"completion": "<think>a</think><answer>Qh5+</answer>", "solution": "Qh5", "tokens": 30}
    path.write_text(json.dumps(row))
    return path


def test_own_reward_by_class_path(own, capsys):
    assert run(own, "--with", "my_reward.Brief") == 0
    assert scores(capsys.readouterr().out) == [1]
    assert run(own, "--with", "my_reward.Brief", "--with.limit", "10") == 0
    assert scores(capsys.readouterr().out) == [0]


def test_own_task_by_class_path(own, capsys):
    for arguments in [("my_task.Chess",), ("strict", "--task", "my_task.Chess")]:
        assert run(own, "--with", *arguments) == 0
        assert scores(capsys.readouterr().out) == [1]
    own.write_text(own.read_text().replace("Qh5+", "Qh4"))
    # The right piece earns a part in training, and is no right answer in evaluation.
    assert run(own, "--with", "my_task.Chess") == 0
    assert scores(capsys.readouterr().out) == [0.25]
    assert run(own, "--with", "strict", "--task", "my_task.Chess") == 0
    assert scores(capsys.readouterr().out) == [0]
    assert title_of("my_task.Chess") == title_of("chess") == "Chess puzzles"
    assert title_of("unheard_of") == "unheard_of"


def test_a_row_never_names_code(own, capsys):
    own.write_text(json.dumps({**json.loads(own.read_text()), "task": "my_task.Chess"}))
    assert run(own, "--with", "accuracy") == 1
    error = capsys.readouterr().err
    assert "row 1: no task 'my_task.Chess' is built in" in error
    assert "name your own class with --task" in error
    assert "my_task" not in sys.modules
    assert run(own, "--with", "accuracy", "--task", "my_task.Chess") == 0


def test_a_reward_that_raises_is_one_sentence(own, capsys):
    assert run(own, "--with", "broken.Raising") == 1
    error = capsys.readouterr().err
    assert "row 1: Raising failed: KeyError: 'moves' (" in error
    assert "broken.py, line 10)" in error
    assert error.count("\n") == 1


def test_tokens_that_are_missing_or_wrong_are_one_sentence(own, capsys):
    row = json.loads(own.read_text())
    for tokens, message in [
        (None, "Brief failed: this completion comes without its number of tokens"),
        ([1, 2], "tokens is not a number of tokens for each completion"),
        (-1, "tokens is not a number of tokens for each completion"),
    ]:
        own.write_text(json.dumps({**row, "tokens": tokens}))
        assert run(own, "--with", "my_reward.Brief") == 1
        assert message in capsys.readouterr().err
    own.write_text(json.dumps({**row, "current_step": "late"}))
    assert run(own, "--with", "length") == 1
    assert "current_step must be a whole number from 0, not 'late'" in capsys.readouterr().err


def test_short_names_are_ours(tmp_path, capsys):
    path = tmp_path / "geometry.jsonl"
    row = {"completion": "<think>a</think><answer>14\\pi cm</answer>", "solution": "14 π"}
    path.write_text(json.dumps(row))
    for name, expected in [("accuracy", 1), ("reference.accuracy", 0)]:
        assert run(path, "--with", name, "--task", "structure") == 0
        assert scores(capsys.readouterr().out) == [expected]


def test_a_reward_that_is_not_a_number_is_refused(own, capsys):
    assert run(own, "--with", "broken.Broken", "--output", "scored.jsonl") == 1
    assert "row 1: Broken returned nan, not a number" in capsys.readouterr().err
    assert not (own.parent / "scored.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ("<html>", "row 1 is not JSON"),
        ("3", "row 1 is not a JSON object"),
        (
            '{"text": "3", "solution": "3"}',
            "no completion or pred or prediction or response or completions among its keys",
        ),
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
