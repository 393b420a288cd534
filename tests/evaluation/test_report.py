import csv
import html
import io
import json

import pytest

from reasonrft.errors import BadInput
from reasonrft.evaluation import OfficialAccuracy, StrictAccuracy
from reasonrft.evaluation.answers import Answers, write_lines
from reasonrft.evaluation.prediction_files import write_predictions
from reasonrft.evaluation.report import extend, write_report
from reasonrft.evaluation.results import AnswerAccuracy, accuracy_of, measure_answer, tally
from reasonrft.evaluation.table_formats import text_table
from reasonrft.evaluation.tables import as_csv, as_markdown, as_text
from reasonrft.problems import Problem
from reasonrft.reward_command import score_file
from reasonrft.tasks import CountingTask

REWARDS = {"official": OfficialAccuracy, "strict": StrictAccuracy}
POLICY = {"policy": "tiny", "weights": "abc"}


def answers(split: str, official: list[float], strict: list[float], **groups: list[str]):
    return [
        AnswerAccuracy(
            key=f"{split}{number}",
            split=split,
            official=official[number],
            strict=strict[number],
            tokens=number,
            truncated=number == 0,
            groups={name: values[number] for name, values in groups.items()},
        )
        for number in range(len(official))
    ]


def seen_and_guessed() -> dict:
    own = answers("counting/id", [1, 1, 1, 0], [1, 1, 1, 0])
    blind = [answer._replace(mode="blind", strict=float(i == 0)) for i, answer in enumerate(own)]
    swapped = [answer._replace(mode="swapped", strict=0.0) for answer in own[:2]]
    return tally(own + blind + swapped)


def counted() -> dict:
    levels = ["1", "2", "2", "2"]
    inside = answers("counting/id", [1, 1, 1, 0], [1, 1, 0, 0], level=levels)
    outside = answers("counting/ood-domain", [1, 0], [0, 0])
    return tally(inside + outside)


def test_accuracies_by_split_and_group():
    found = counted()
    inside = found["counting/id"]
    assert (inside["official"], inside["strict"], inside["n"]) == (0.75, 0.5, 4)
    # Wilson: (.5 + 3.8415/8 ± 1.96 sqrt(.0625 + 3.8415/64)) / (1 + 3.8415/4)
    assert inside["interval"] == pytest.approx([0.1500, 0.8500], abs=1e-4)
    # Tokens 0, 1, 2, 3; the first is cut off.
    assert (inside["tokens"], inside["truncated"]) == (1.5, 0.25)
    levels = inside["by"]["level"]
    assert {level: (part["strict"], part["n"]) for level, part in levels.items()} == {
        "1": (1.0, 1),
        "2": (1 / 3, 3),
    }
    assert found["counting/ood-domain"]["by"] == {}


def test_the_table_of_a_terminal():
    text = as_text(extend({}, POLICY, counted()))
    assert text == (
        "tiny: accuracy in % [95 % interval]\n"
        "\n"
        "Visual counting                  ID         OOD-domain  average\n"
        "official         75.00 [30.1, 95.4]  50.00 [9.5, 90.5]    62.50\n"
        "strict           50.00 [15.0, 85.0]   0.00 [0.0, 65.8]    25.00\n"
        "answers                           4                  2"
    )


def test_tasks_stand_in_the_papers_order_and_in_domain_comes_first():
    names = ["own/test", "transformation/ood-left", "transformation/id", "structure/ood"]
    tallies = tally([one for name in names for one in answers(name, [1], [1])])
    summary = extend({}, POLICY, tallies)
    assert {task: list(splits) for task, splits in summary["tasks"].items()} == {
        "structure": ["ood"],
        "transformation": ["id", "ood-left"],
        "own": ["test"],
    }
    head = as_markdown(summary).splitlines()[2]
    assert [cell.strip() for cell in head.split("|")[2:-1]] == [
        "Structure perception: OOD",
        "Structure perception: average",
        "Spatial transformation: ID",
        "Spatial transformation: OOD-left",
        "Spatial transformation: average",
        "own: test",
        "own: average",
    ]


def test_markdown_holds_in_spite_of_names():
    tallies = tally(answers("counting/id", [1], [1], template=["a|b\nc"]))
    text = as_markdown(extend({}, {"policy": "x|y"}, tallies))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {4, 8}
    assert "| template | a\\|b c | 100.00" in text


def test_blind_and_swapped_answers_stand_beside_the_real_ones():
    found = seen_and_guessed()["counting/id"]
    assert (found["strict"], found["n"]) == (0.75, 4)
    assert (found["blind"]["strict"], found["blind"]["n"]) == (0.25, 4)
    assert (found["swapped"]["strict"], found["swapped"]["n"]) == (0.0, 2)
    gap = found["blind"]["gap"]
    # Newcombe: .5 -+ hypot of the Wilson bounds' distances, [.3006, .9544] and [.0456, .6994].
    assert (gap["strict"], gap["official"]) == (0.5, 0)
    assert gap["interval"] == pytest.approx([-0.1355, 0.7890], abs=1e-3)


def test_the_terminal_says_how_much_was_seen():
    text = as_text(extend({}, POLICY, seen_and_guessed())).split("\n\n")[-1]
    head, row = text.splitlines()
    columns = ["images", "blind", "images - blind", "swapped", "images - swapped"]
    assert head.split("  ", 1)[0] == "Visual counting: how much was seen"
    assert [name.strip() for name in head.split("  ") if name.strip()][1:] == columns
    assert row.startswith("ID (strict)") and "75.00 [30.1, 95.4]" in row
    assert "25.00 [4.6, 69.9]  +50.00 [-13." in row
    assert "how much was seen" not in as_text(extend({}, POLICY, counted()))


def test_reports_have_columns_for_blind_and_swapped():
    summary = extend({}, POLICY, {**counted(), **seen_and_guessed()})
    lines = as_markdown(summary).splitlines()
    (head,) = [line for line in lines if "how much was seen" in line]
    assert head.endswith("| images | blind | images - blind | swapped | images - swapped |")
    rows = [line for line in lines if "(strict) |" in line and line.count("|") == head.count("|")]
    assert rows[0].startswith(
        "| ID (strict) | 75.00 [30.1, 95.4] | 25.00 [4.6, 69.9] | +50.00 [-13."
    )
    assert rows[1].endswith("| - | - | - | - |")  # not asked so
    inside, outside = csv.DictReader(io.StringIO(as_csv(summary)))
    assert (inside["blind_n"], inside["blind_strict"], inside["gap_blind_strict"]) == (
        *("4", "0.25", "0.5"),
    )
    assert float(inside["gap_blind_strict_low"]) < 0.5 < float(inside["gap_blind_strict_high"])
    assert (inside["swapped_n"], inside["swapped_strict"]) == ("2", "0.0")
    assert outside["blind_strict"] == outside["gap_swapped_strict"] == ""
    assert "blind" not in as_csv(extend({}, POLICY, counted()))


def test_a_later_test_of_the_same_answers_keeps_what_was_asked_blind():
    first = extend({}, POLICY, seen_and_guessed())["tasks"]
    own = answers("counting/id", [1, 1, 1, 0], [1, 1, 1, 0])
    swapped = [answer._replace(mode="swapped") for answer in own]
    again = extend(first, POLICY, tally(own + swapped))["tasks"]["counting"]["id"]
    assert (again["blind"]["strict"], again["swapped"]["strict"]) == (0.25, 0.75)
    other = extend(first, POLICY, tally(own[:3]))["tasks"]["counting"]["id"]
    assert "blind" not in other and "swapped" not in other


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](http://host/x.png)",
    "[click](javascript:alert(1))",
    "`code` | cell",
    "\\| cell",
    "&lt;b&gt;",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_hostile_text_as_it_is(text):
    tallies = tally(answers(f"{text}/{text}", [1], [1], template=[text]))
    report = as_markdown(extend({}, {"policy": text}, tallies))
    for sign in ("<", "](", "&lt;b"):
        assert sign not in report
    rows = [line for line in report.splitlines() if line.startswith("|")]
    cells = {line.replace("\\\\", "").replace("\\|", "").count("|") for line in rows}
    assert cells == {4, 8}
    assert html.escape(text.split()[0].split("](")[0], quote=False).strip("\\`|") in report


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1"])
def test_csv_holds_no_formula(text):
    tallies = tally(answers(f"{text}/{text}", [1], [1], template=[text]))
    rows = list(csv.reader(io.StringIO(as_csv(extend({}, {"policy": text}, tallies)))))
    names = [cell for row in rows[1:] for cell in row if text.strip() in cell]
    assert len(names) == 7 and all(name.startswith("'") for name in names)
    figures = [cell for row in rows[1:] for cell in row if text.strip() not in cell]
    assert not any(cell.startswith("'") for cell in figures)


def test_a_task_of_ones_own_has_its_title_in_reports(tmp_path):
    tallies = tally(answers("own/test", [1], [1]))
    assert "Odd ones" in write_report(tmp_path, POLICY, tallies, {"own": "Odd ones"})
    assert "Odd ones: test" in (tmp_path / "report.md").read_text()
    # Another task's test does not forget it.
    assert "Odd ones" in write_report(tmp_path, POLICY, counted())


def test_csv_has_a_line_for_each_split_and_group():
    rows = list(csv.DictReader(io.StringIO(as_csv(extend({}, POLICY, counted())))))
    assert [(row["split"], row["by"], row["value"], row["n"]) for row in rows] == [
        ("id", "all", "", "4"),
        ("id", "level", "1", "1"),
        ("id", "level", "2", "3"),
        ("ood-domain", "all", "", "2"),
    ]
    assert float(rows[0]["strict"]) == 0.5
    assert float(rows[0]["official_low"]) < 0.75 < float(rows[0]["official_high"])


def test_a_folder_collects_the_tasks_of_a_policy(tmp_path):
    write_report(tmp_path, POLICY, counted())
    more = tally(answers("structure/id", [1], [1]) + answers("counting/id", [1], [1]))
    text = write_report(tmp_path, POLICY, more)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["policy"] == "tiny"
    assert list(summary["tasks"]) == ["counting", "structure"]
    assert summary["tasks"]["counting"]["id"]["n"] == 1
    assert summary["tasks"]["counting"]["ood-domain"]["n"] == 2
    assert "Structure perception" in text and str(tmp_path / "report.md") in text
    # Another policy's figures do not mix with these.
    write_report(tmp_path, POLICY | {"weights": "def"}, more)
    assert "ood-domain" not in (tmp_path / "summary.json").read_text()


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_summary_is_named(tmp_path, text):
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(BadInput, match=r"summary\.json is not a summary of results"):
        write_report(tmp_path, POLICY, counted())


CALLS = "change_color(2, cyan), change_size(1, large)"
ANSWERED = [
    ("counting/id", Problem("c1", "counting", (), "?", "3"), "<answer>3</answer>"),
    ("counting/id", Problem("c0", "counting", (), "?", "3"), "I count 5, remove 2, leaving 3"),
    ("counting/ood-domain", Problem("v0", "counting", (), "?", "3"), "<answer>4</answer>"),
    ("counting/ood-operation", Problem("o0", "counting", (), "?", "3"), "3"),
    (
        "transformation/ood-left",
        Problem("t0", "transformation", (), "?", CALLS, meta={"level": 2, "view": "left"}),
        "<answer>change_color(2, red), change_size(1, large)</answer>",
    ),
]


def answered() -> list[dict]:
    lines = []
    for number, (split, problem, text) in enumerate(ANSWERED):
        answers = Answers([text], [5], [False])
        (line,) = write_lines(split, [problem], [f"k{number}"], answers)
        lines.append({"policy": "tiny", **line, **measure_answer(problem, text)})
    return lines


def test_accuracies_of_answers():
    assert [(line["official"], line["strict"]) for line in answered()] == [
        (1, 1),
        (1, 0),  # Without tags math-verify finds the number; strictly, three are no answer.
        (0, 0),
        (1, 1),
        (0.75, 0),  # One call is exact, one has the right function and object.
    ]
    assert accuracy_of(answered()[-1]).groups == {"level": "2", "view": "left"}


def test_a_tasks_own_measure_is_the_strict_one():
    class Lenient(CountingTask):
        def agrees(self, answer, problem):
            return True

    wrong = ANSWERED[2]
    assert measure_answer(wrong[1], wrong[2], Lenient()) == {"official": 0, "strict": 1}


@pytest.mark.parametrize("name", ["official", "strict"])
def test_the_score_command_finds_the_same_in_the_answers(tmp_path, capsys, name):
    file = tmp_path / "answers.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in answered()))
    count, mean = score_file(file, REWARDS[name]())
    assert (count, mean) == (5, sum(line[name] for line in answered()) / 5)


def test_predictions_are_laid_out_as_the_release_has_them(tmp_path, capsys):
    write_predictions(tmp_path, answered())
    folder = tmp_path / "vision-r1-result"
    assert {path.name for path in folder.iterdir()} == {
        "clevr-math.json",
        "super-clevr.json",
        "counting-ood-operation.json",
        "trance-left.json",
    }
    rows = json.loads((folder / "clevr-math.json").read_text())
    assert [(row["id"], row["pred"]) for row in rows] == [
        ("c0", "I count 5, remove 2, leaving 3"),
        ("c1", "<answer>3</answer>"),
    ]
    # What any version of its scorer looks for.
    assert {"problem", "solution", "answer", "level", "type", "pred"} <= rows[0].keys()
    assert score_file(folder / "trance-left.json", OfficialAccuracy("transformation")) == (1, 0.75)
    assert score_file(folder / "clevr-math.json", OfficialAccuracy("counting")) == (2, 1.0)


def test_a_terminal_is_told_nothing_by_names():
    table = text_table([["\x1b[2J\u202eid", "a"], ["b", "\x07"]])
    assert table == "\\x1b[2J\\u202eid     a\nb                \\x07"
