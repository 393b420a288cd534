"""Records of one's own: images, questions and answers in every shape people keep them in."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from reasonrft.readers import DataError, load_problems
from tests.readers.writing import write_image, write_lines, write_records

COUNT = 120


def own_rows(folder: Path, images: str = "images") -> list[dict[str, Any]]:
    """Small images, each with a question and an answer."""
    rows = []
    for number in range(COUNT):
        name = f"{images}/{number:03d}.png" if images else f"{number:03d}.png"
        write_image(folder / name, f"hsl({3 * number}, 80%, 50%)", (12, 10))
        rows.append({"image": name, "question": f"Colour {number}?", "answer": f"hue {number}"})
    return rows


def as_json(folder: Path, rows: list[dict[str, Any]]) -> Path:
    return write_records(folder / "own.json", rows)


def as_lines(folder: Path, rows: list[dict[str, Any]]) -> Path:
    return write_lines(folder / "own.jsonl", rows)


def as_csv(folder: Path, rows: list[dict[str, Any]], name: str = "own.csv", by: str = ",") -> Path:
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], delimiter=by)
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_tsv(folder: Path, rows: list[dict[str, Any]]) -> Path:
    return as_csv(folder, rows, "own.tsv", "\t")


def as_parquet(folder: Path, rows: list[dict[str, Any]]) -> Path:
    import pyarrow
    import pyarrow.parquet

    path = folder / "own.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def image_folder(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"file_name": row["image"], **{key: row[key] for key in row if key != "image"}}
        for row in rows
    ]


def as_image_folder(folder: Path, rows: list[dict[str, Any]]) -> Path:
    write_lines(folder / "metadata.jsonl", image_folder(rows))
    return folder


def as_image_folder_csv(folder: Path, rows: list[dict[str, Any]]) -> Path:
    as_csv(folder, image_folder(rows), "metadata.csv")
    return folder


def as_saved(folder: Path, rows: list[dict[str, Any]]) -> Path:
    from datasets import Dataset, Features, Value
    from datasets import Image as ImageFeature

    features = Features(
        {"image": ImageFeature(), "question": Value("string"), "answer": Value("string")}
    )
    absolute = [{**row, "image": str(folder / row["image"])} for row in rows]
    Dataset.from_list(absolute, features=features).save_to_disk(folder / "saved")
    return folder / "saved"


SHAPES = (
    as_json,
    as_lines,
    as_csv,
    as_tsv,
    as_parquet,
    as_image_folder,
    as_image_folder_csv,
    as_saved,
)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_read(tmp_path: Path, shape: Callable[..., Path]):
    rows = own_rows(tmp_path)
    problems = load_problems(shape(tmp_path, rows))
    assert [problem.question for problem in problems] == [row["question"] for row in rows]
    assert [problem.answer for problem in problems] == [row["answer"] for row in rows]
    assert {problem.task for problem in problems} == {"general"}
    assert len({problem.id for problem in problems}) == COUNT
    assert [problem.id for problem in load_problems(shape(tmp_path, rows))] == [
        problem.id for problem in problems
    ]
    with Image.open(tmp_path / rows[7]["image"]) as image:
        assert problems[7].open_images()[0].tobytes() == image.tobytes()


@pytest.mark.parametrize("question", ["question", "problem", "query", "prompt", "instruction"])
@pytest.mark.parametrize("answer", ["answer", "solution", "label", "gt", "ground_truth"])
def test_every_name_is_read(tmp_path: Path, question: str, answer: str):
    write_image(tmp_path / "a.png")
    row = {"id": 7, "image": "a.png", question: "What?", answer: "red", "cot": "I see it."}
    [problem] = load_problems(write_records(tmp_path / "own.json", [row]))
    assert (problem.id, problem.question, problem.answer) == ("7", "What?", "red")
    assert (problem.cot, problem.meta, len(problem.images)) == ("I see it.", {}, 1)


def read_one(folder: Path, **row: Any) -> Any:
    [problem] = load_problems(write_records(folder / "own.json", [row]))
    return problem


def test_choices_are_shown_to_the_model(tmp_path):
    choices = ["red", "blue"]
    problem = read_one(tmp_path, question="Which?", choices=choices, answer="B")
    assert (problem.question, problem.choices) == (
        "Which?\nChoices:\nA. red\nB. blue",
        ("red", "blue"),
    )
    listed = "Which? A. red B. blue"
    assert read_one(tmp_path, question=listed, choices=choices, answer="red").question == listed
    with pytest.raises(DataError, match="key 'answer': '1' is none of the choices; give the lett"):
        read_one(tmp_path, question="Which?", choices=choices, answer=1)
    assert read_one(tmp_path, question="How many?", choices=[1, 2], answer=1).answer == "1"


def test_tasks_are_not_guessed_from_what_looks_like_counting(tmp_path):
    asked = "Subtract all cubes. How many objects are left?"
    assert read_one(tmp_path, question=asked, answer=3).task == "general"
    assert read_one(tmp_path, question=asked, answer=3, task="counting").task == "counting"
    calls = "change_color(2, red), change_size(1, large)"
    assert read_one(tmp_path, question="What was done?", answer=calls).task == "transformation"


def test_an_instruction_keeps_its_input(tmp_path):
    problem = read_one(tmp_path, instruction="Name the colour.", input="The left one.", gt="red")
    assert (problem.question, problem.meta) == ("Name the colour.\nThe left one.", {})


def test_a_json_list_may_be_called_jsonl_and_one_record_is_enough(tmp_path):
    path = write_records(tmp_path / "own.jsonl", [{"question": "?", "answer": 1}] * 2)
    assert len(load_problems(path)) == 2
    path.write_text("\ufeff[\n" + json.dumps({"question": "?", "answer": 1}) + "\n]")
    assert len(load_problems(path)) == 1
    assert len(load_problems(write_records(tmp_path / "one.json", {"query": "?", "gt": 1}))) == 1


def test_images_in_every_column_of_a_parquet_file(tmp_path):
    path = write_image(tmp_path / "images" / "a.png")
    for image in ("images/a.png", path.read_bytes(), {"bytes": path.read_bytes(), "path": None}):
        rows = [{"image": image, "question": "?", "answer": "1"}]
        [problem] = load_problems(as_parquet(tmp_path, rows))
        assert problem.open_images()[0].size == (8, 6)


def test_lists_and_separators_in_csv(tmp_path):
    for name in ("a", "b"):
        write_image(tmp_path / f"{name}.png")
    path = tmp_path / "own.csv"
    for text in (
        'images;question;answer;choices\na.png|b.png;"Which; then?";A;"[""x"", ""y""]"\n',
        'images,question,answer,choices\r\n"[""a.png"", ""b.png""]","Which; then?",A,x|y\r\n\r\n',
    ):
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())
        [problem] = load_problems(path)
        assert problem.images == (tmp_path / "a.png", tmp_path / "b.png")
        assert (problem.question, problem.choices) == (
            "Which; then?\nChoices:\nA. x\nB. y",
            ("x", "y"),
        )
        assert problem.id == "own-000001"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"question,answer\nWhat,1,2\n", "record 1: has 3 cells for 2 columns"),
        (b'question,answer\n"What,1\n', "record 1: is not valid CSV"),
        (b"question,answer\nWh\xe4t,1\n", "is not UTF-8 text: save it as CSV UTF-8"),
        (b"question,question\nWhat,1\n", "is the name of two columns"),
        (b"question,answer\nWhat,\n", "record 1, key 'answer': is null"),
        (b"question,anwser\nWhat,1\n", "key 'anwser': is not read; did you mean answer?"),
        (b"colour,shape\nred,1\n", "is in no known format"),
        (b"question,answer\n", "holds no records"),
        (b"question,answer,choices\nWhat,1,[x\n", "key 'choices': is no JSON list"),
    ],
)
def test_faulty_csv_is_one_sentence(tmp_path, text, reason):
    (tmp_path / "own.csv").write_bytes(text)
    with pytest.raises(DataError) as caught:
        load_problems(tmp_path / "own.csv")
    [_, line] = str(caught.value).splitlines()
    assert line.startswith(str(tmp_path / "own.csv")) and reason in line


@pytest.mark.parametrize("shape", [as_json, as_lines, as_csv, as_parquet, as_image_folder])
def test_a_typo_in_every_record_is_one_line(tmp_path, shape):
    rows = [
        {"qestion" if key == "question" else key: value for key, value in row.items()}
        for row in own_rows(tmp_path)
    ]
    with pytest.raises(DataError) as caught:
        load_problems(shape(tmp_path, rows))
    [_, line] = str(caught.value).splitlines()
    assert "120 records: " in line and " and 117 more" in line
    assert "key 'qestion': is not read; did you mean question?" in line


def test_image_folders_with_splits(tmp_path):
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        rows = own_rows(tmp_path / split, images="")[:3]
        as_image_folder(tmp_path / split, [{**row, "answer": split} for row in rows])
    with pytest.raises(DataError, match="which split\\? It has test, train"):
        load_problems(tmp_path)
    problems = load_problems(tmp_path, split="test")
    assert [problem.answer for problem in problems] == ["test"] * 3
    assert problems[0].id == "test-000001"
    assert problems[0].images == (tmp_path / "test" / "000.png",)
    assert load_problems(tmp_path / "test")[0].images == problems[0].images


def test_labels_of_a_saved_data_set_are_their_names(tmp_path):
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"question": Value("string"), "label": ClassLabel(names=["cat", "dog"])})
    Dataset.from_list([{"question": "What?", "label": 1}], features=features).save_to_disk(
        tmp_path / "saved"
    )
    assert load_problems(tmp_path / "saved")[0].answer == "dog"
