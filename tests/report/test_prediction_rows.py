import json

import pytest

from reasonrft.errors import BadInput
from reasonrft.report.comparison import compare
from reasonrft.report.found_runs import find_runs
from reasonrft.report.prediction_rows import (
    questions_of_file,
    questions_of_runs,
    read_predictions,
)
from tests.report.folders import RIGHT, problems, texts, write_answers


@pytest.fixture
def runs(tmp_path):
    asked = problems(tmp_path, "id", 4)
    write_answers(tmp_path / "ours", "counting/id", asked, texts("1100"))
    return find_runs([tmp_path / "ours"])[0]


def predicted(folder, rows):
    path = folder / "predictions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("key", ["completion", "prediction", "response", "pred"])
def test_predictions_are_measured_and_paired_by_id(runs, tmp_path, key):
    rows = [{"id": f"id-{n}", key: text} for n, text in enumerate(texts("1110"))]
    theirs = read_predictions("theirs", predicted(tmp_path, rows[::-1]), questions_of_runs(runs))
    [line] = compare(runs, [theirs], [], "strict").gaps
    assert (line.ours.name, line.theirs.name) == ("ours", "theirs")
    assert (line.gap.difference, line.gap.p, line.gap.exact) == (-0.25, 1.0, True)


def test_predictions_may_count_questions_instead(runs, tmp_path):
    path = predicted(tmp_path, [{"index": 2, "response": RIGHT}])
    theirs = read_predictions("theirs", path, questions_of_runs(runs))
    [answer] = theirs.answers["own"]["counting/id"].values()
    assert answer.strict == 1.0 and theirs.lines[0]["id"] == "id-2"


def test_a_file_of_problems_says_what_was_asked(runs, tmp_path):
    # Two that the run answered too, and one of which nothing is known.
    rows = [
        {"id": f"id-{n}", "problem": f"How many? ({n})", "solution": "3", "image": "scene.png"}
        for n in (3, 1, 9)
    ]
    (tmp_path / "test.json").write_text(json.dumps(rows))
    questions = questions_of_file(tmp_path / "test.json", questions_of_runs(runs))
    assert [line["split"] for line in questions] == ["counting/id", "counting/id", "general/test"]
    path = predicted(tmp_path, [{"index": 1, "response": "3"}])
    theirs = read_predictions("theirs", path, questions)
    assert theirs.lines[0]["id"] == "id-1"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": "id-9", "response": "3"}, "1 of 2 predictions match a question; .* 'id-9'"),
        ({"index": 7, "response": "3"}, "1 of 2 predictions match a question; .* '7'"),
        ({"response": "3"}, "1 of 2 predictions match a question; .* 'row 2'"),
        ({"id": "id-1", "text": "3"}, "row 2: no completion or pred"),
        ({"id": "id-1", "response": {}}, "row 2: response is not text"),
    ],
)
def test_what_does_not_match_is_said(runs, tmp_path, row, said):
    path = predicted(tmp_path, [{"id": "id-0", "response": "3"}, row])
    with pytest.raises(BadInput, match=said):
        read_predictions("theirs", path, questions_of_runs(runs))


def test_an_id_that_two_splits_have_needs_its_split(runs, tmp_path):
    asked = problems(tmp_path, "id", 4)
    write_answers(tmp_path / "ours", "counting/ood", asked, texts("1100"))
    questions = questions_of_runs(find_runs([tmp_path / "ours"])[0])
    with pytest.raises(BadInput, match="0 of 1 predictions match"):
        read_predictions("x", predicted(tmp_path, [{"id": "id-0", "pred": "3"}]), questions)
    rows = [{"id": "id-0", "split": "ood", "pred": "3"}]
    assert read_predictions("x", predicted(tmp_path, rows), questions).splits == {"counting/ood"}
