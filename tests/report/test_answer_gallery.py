import io
from base64 import b64decode

import pytest
from PIL import Image

from reasonrft.problems import Problem
from reasonrft.report.answer_gallery import LARGEST, choose, show, split_thought
from reasonrft.report.comparison import compare
from reasonrft.report.found_runs import find_runs
from tests.report.folders import RIGHT, problems, texts, write_answers


def compared(*folders):
    runs, studies = find_runs(folders)
    return compare(runs, [], studies, "strict")


def shown(found, count=24):
    leads = {task: sides.focus for task, sides in found.sides.items()}
    chosen = choose(found.rows, found.columns, leads, count)
    return list(show(found.rows, found.columns, chosen))


def two_runs(home, ours="110100", theirs="101100"):
    asked = problems(home / "data", "id", len(ours))
    write_answers(home / "theirs", "counting/id", asked, texts(theirs))
    write_answers(home / "ours", "counting/id", asked, texts(ours))
    return home / "theirs", home / "ours"


def test_errors_come_first_then_where_rows_disagree(tmp_path):
    found = compared(*two_runs(tmp_path))
    items = shown(found)
    assert [item.kind for item in items] == ["wrong"] * 3 + ["disagree"] + ["agree"] * 2
    assert {item.id for item in items[:3]} == {"id-2", "id-4", "id-5"}
    assert items[3].id == "id-1"
    assert [(answer.row, answer.right) for answer in items[3].answers] == [
        ("theirs", False),
        ("ours", True),
    ]
    assert [item.id for item in shown(found)] == [item.id for item in items]
    assert [item.kind for item in shown(found, 3)] == ["wrong", "wrong", "disagree"]


def test_splits_take_turns(study):
    items = shown(compared(study), 3)
    assert {item.split for item in items} == {
        "counting/id",
        "counting/ood-domain",
        "counting/ood-operation",
    }


def test_images_are_small_copies(tmp_path):
    folders = two_runs(tmp_path)
    Image.new("RGB", (1200, 600), "green").save(tmp_path / "data" / "scene.png")
    head, _, content = shown(compared(*folders), 1)[0].images[0].partition(",")
    assert head == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(b64decode(content))).size == (LARGEST, LARGEST // 2)


@pytest.mark.parametrize("change", ["missing", "damaged"])
def test_images_that_cannot_be_shown_are_said(tmp_path, change):
    folders = two_runs(tmp_path)
    image = tmp_path / "data" / "scene.png"
    image.write_bytes(b"no image") if change == "damaged" else image.unlink()
    [item] = shown(compared(*folders), 1)
    assert not item.images
    assert ("not an image" if change == "damaged" else "no image at") in item.missing


def test_images_are_found_where_a_run_was_copied_to(tmp_path):
    home = tmp_path / "there"
    folders = two_runs(home)
    home.rename(tmp_path / "here")
    moved = [tmp_path / "here" / folder.name for folder in folders]
    assert shown(compared(*moved), 1)[0].images


def test_images_inside_of_records_are_found_in_the_runs_data(tmp_path):
    # Answers name no file where a record holds the image itself.
    file = tmp_path / "data" / "scene.png"
    asked = problems(tmp_path / "data", "id", 1)
    within = [Problem("id-0", "counting", (file.read_bytes(),), asked[0].question, "3")]
    write_answers(tmp_path / "ours", "counting/id", within, [RIGHT])
    found = compared(tmp_path / "ours")
    assert shown(found)[0].missing == "the answers name no image"
    (tmp_path / "data" / "test.json").write_text(
        f'[{{"id": "id-0", "problem": "x", "solution": "3", "image": "{file}"}}]'
    )
    source = (
        f"{{class_path: StoredProblems, init_args: {{tests: {{id: {tmp_path}/data/test.json}}}}}}"
    )
    (tmp_path / "ours" / "run_config.yaml").write_text(f"data: {{init_args: {{source: {source}}}}}")
    assert shown(found)[0].images


def test_a_configuration_names_no_code(tmp_path):
    asked = [Problem("id-0", "counting", (b"x",), "How many?", "3")]
    write_answers(tmp_path / "ours", "counting/id", asked, [RIGHT])
    source = "{class_path: tests.report.no_such_module.Source, init_args: {}}"
    (tmp_path / "ours" / "run_config.yaml").write_text(f"data: {{init_args: {{source: {source}}}}}")
    assert shown(compared(tmp_path / "ours"))[0].missing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>\nOne.\n</think>\n<answer>1</answer>", ("One.", "<answer>1</answer>")),
        ("One.</think>1", ("One.", "1")),
        ("1 <think>and on", ("and on", "1")),
        ("<answer>1</answer>", ("", "<answer>1</answer>")),
    ],
)
def test_thought_stands_apart(text, expected):
    assert split_thought(text) == expected
