"""Data of one's own: the datamodule that is found for it, and what is held out of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from reasonrft import datamodules
from reasonrft.datamodules import StoredProblems, TaskDataModule, own_data
from reasonrft.errors import BadInput
from reasonrft.policy import Policy
from reasonrft.readers import DataError
from reasonrft.tasks import GroundingTask
from tests.datamodules.reading import Reader, quiet
from tests.readers.test_plain import (
    COUNT,
    as_csv,
    as_image_folder,
    as_json,
    as_lines,
    as_parquet,
    own_rows,
)
from tests.readers.writing import write_image, write_records

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def encoder(family_folder):
    return Policy(str(family_folder("qwen3-vl"))).encoder


def module(config: dict[str, Any], **options: Any) -> TaskDataModule:
    """The datamodule that a configuration describes."""
    arguments = dict(config["init_args"])
    source = StoredProblems(**arguments.pop("source")["init_args"])
    cls = getattr(datamodules, config["class_path"].rpartition(".")[2])
    return cls(source, **arguments, **options)


@pytest.mark.parametrize("shape", [as_json, as_lines, as_csv, as_parquet, as_image_folder])
def test_every_shape_is_trained_on_with_a_tenth_held_out(encoder, tmp_path, shape):
    source = shape(tmp_path, own_rows(tmp_path))
    data = module(own_data(str(source)), batch_size=8)
    assert type(data).__name__ == "GeneralDataModule"
    reader = Reader(encoder, "prompts")
    quiet(limit_val_batches=0).fit(reader, data)
    trained = {problem.id for batch in reader.batches for problem in batch.problems}
    held_out = {problem.id for problem in data.problems["val"]}
    assert (len(trained), len(held_out)) == (COUNT - 12, 12)
    assert data.eval_splits("validate") == ("val",)
    assert trained.isdisjoint(held_out)


def test_what_is_held_out_depends_on_seed_and_id_alone(tmp_path):
    rows = [{"id": f"q{n}", "question": "?", "answer": n} for n in range(40)]
    path = write_records(tmp_path / "own.json", rows)

    def held_out(**options: Any) -> set[str]:
        source = StoredProblems(str(path), **options)
        train, val = ({p.id for p in source.problems(split)} for split in ("train", "val"))
        assert train.isdisjoint(val) and len(train | val) == 40
        return val

    first = held_out()
    assert len(first) == 4 and held_out(seed=1) != first
    assert first < held_out(hold_out=0.5) and len(held_out(hold_out=0.5)) == 20
    write_records(path, rows[::-1])
    assert held_out() == first


def test_how_much_is_held_out(tmp_path):
    def held_out(count: int, **options: Any) -> int:
        rows = [{"question": "?", "answer": n} for n in range(count)]
        path = write_records(tmp_path / "own.json", rows)
        return len(StoredProblems(str(path), **options).problems("val"))

    # A tenth, at least 1, at most 200; a share that is asked for has no limit.
    assert [held_out(count) for count in (2, 9, 50, 3000)] == [1, 1, 5, 200]
    assert held_out(3000, hold_out=0.2) == 600
    with pytest.raises(BadInput, match="too few problems to hold one out; set hold_out to 0"):
        held_out(1)
    path = str(tmp_path / "own.json")
    assert StoredProblems(path, hold_out=0).splits == ("train",)
    assert StoredProblems(path, tests={"id": path}).splits == ("train", "id")
    assert StoredProblems(path, tests={"id": path}, hold_out=0.5).splits == ("train", "id", "val")
    assert StoredProblems(path, path, hold_out=0.5).splits == ("train", "val")
    assert StoredProblems(path, path).splits == ("train", "val")
    for share in (-0.1, 1.0, float("nan")):
        with pytest.raises(BadInput, match="hold_out is a share of train"):
            StoredProblems(path, hold_out=share)


def test_repeated_ids_are_held_out_together(tmp_path):
    rows = [{"id": f"q{n % 10}", "question": "?", "answer": n} for n in range(20)]
    source = StoredProblems(str(write_records(tmp_path / "own.json", rows)))
    assert (len(source.problems("val")), len(source.problems("train"))) == (2, 18)


def test_tests_are_called_as_their_files_are(tmp_path):
    for name in ("train", "easy", "hard/easy", "hard/odd one", "val"):
        write_records(tmp_path / f"{name}.json", [{"question": "?", "answer": "1"}] * 2)

    def splits(*names: str) -> tuple[str, ...]:
        tests = [str(tmp_path / f"{name}.json") for name in names]
        return module(own_data(str(tmp_path / "train.json"), tests)).source.splits

    assert splits("easy", "hard/odd one") == ("train", "easy", "odd-one")
    assert splits("easy", "hard/easy") == ("train", f"{tmp_path.name}-easy", "hard-easy")
    assert splits("val") == ("train", f"{tmp_path.name}-val")
    with pytest.raises(BadInput, match="would both be the test split"):
        splits("easy", "easy")
    data = module(own_data(None, [str(tmp_path / "easy.json")]))
    assert (data.source.splits, data.eval_splits("fit")) == (("easy",), ())
    with pytest.raises(BadInput, match="names no problems to train on"):
        quiet().fit(Reader(None), data)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="name the file of your problems with --problems"):
        own_data(None)


def test_splits_that_the_data_has_are_used(tmp_path):
    from datasets import Dataset, DatasetDict

    rows = [{"question": "?", "answer": "1"}] * 3
    data = Dataset.from_list(rows)
    DatasetDict(train=data, validation=data, test=data).save_to_disk(tmp_path / "saved")
    source = module(own_data(str(tmp_path / "saved"))).source
    assert source.splits == ("train", "val", "test")
    assert len(source.problems("val")) == 3
    DatasetDict(a=data, b=data).save_to_disk(tmp_path / "others")
    with pytest.raises(BadInput, match="has the splits a, b and none called train"):
        own_data(str(tmp_path / "others"))
    for split in ("train", "test"):
        write_image(tmp_path / "images" / split / "0.png")
        row = json.dumps({"file_name": "0.png", "question": split, "answer": "1"})
        (tmp_path / "images" / split / "metadata.jsonl").write_text(row)
    source = module(own_data(str(tmp_path / "images"))).source
    assert source.splits == ("train", "test")
    assert [problem.question for problem in source.problems("test")] == ["test"]


def test_files_of_a_folder_that_are_called_as_splits_are(tmp_path):
    for name in ("train-00000-of-00002", "train-00001-of-00002", "validation", "test"):
        write_records(tmp_path / f"{name}.json", [{"question": name, "answer": "1"}])
    source = module(own_data(str(tmp_path))).source
    assert source.splits == ("train", "val", "test")
    asked = {split: [p.question for p in source.problems(split)] for split in source.splits}
    assert asked == {
        "train": ["train-00000-of-00002", "train-00001-of-00002"],
        "val": ["validation"],
        "test": ["test"],
    }


def module_name(path: Path, rows: list[dict[str, Any]]) -> str:
    return own_data(str(write_records(path, rows)))["class_path"].rpartition(".")[2]


def test_the_task_is_found_from_the_records_and_not_from_how_they_sound(tmp_path):
    write_image(tmp_path / "a.png")
    path = tmp_path / "own.json"
    asked = {"image": "a.png", "question": "How many cubes are there?", "answer": 3}
    assert module_name(path, [asked] * 2) == "GeneralDataModule"
    assert module_name(path, [{**asked, "task": "counting"}] * 2) == "CountingDataModule"
    assert module_name(path, [{**asked, "task": "counting"}, asked]) == "GeneralDataModule"
    calls = {"image": ["a.png", "a.png"], "question": "What?", "answer": "change_color(1, red)"}
    assert module_name(path, [calls] * 2) == "TransformationDataModule"
    with pytest.raises(BadInput, match=r'1 of 2 answers are calls.*as in "task": "general"'):
        module_name(path, [calls, asked])
    general = {**calls, "task": "general"}
    assert module_name(path, [general, asked]) == "GeneralDataModule"


def test_faults_are_said_before_anything_is_loaded(tmp_path):
    rows = own_rows(tmp_path)
    typo = as_json(tmp_path, [{**row, "answer": None, "anwser": "1"} for row in rows])
    with pytest.raises(DataError, match="120 records: record 1, record 2, record 3 and 117 more"):
        own_data(str(typo))
    (tmp_path / "broken.csv").write_bytes(b"\x93\xfe\x00")
    with pytest.raises(DataError, match=r"broken\.csv: is not UTF-8 text"):
        own_data(str(tmp_path / "broken.csv"))
    with pytest.raises(DataError, match=r"no such file or folder: nowhere\.json"):
        own_data("nowhere.json")


def test_a_missing_image_is_named_before_the_first_step(tmp_path):
    rows = own_rows(tmp_path)
    for number in (3, 5, 7, 9):
        (tmp_path / rows[number]["image"]).unlink()
    with pytest.raises(DataError) as caught:
        own_data(str(as_json(tmp_path, rows)))
    [_, line] = str(caught.value).splitlines()
    assert "4 records: record 4 (id 'own-000004'), record 6" in line
    assert " and 1 more, key 'image'" in line
    assert f"no such file: {tmp_path / rows[3]['image']}" in line


def test_boxes_are_in_the_units_in_which_the_model_answers(encoder, tmp_path):
    write_image(tmp_path / "a.png", size=(200, 100))
    row = {"image": "a.png", "question": "Where?", "answer": [{"bbox_2d": [100, 50, 200, 100]}]}
    config = own_data(str(write_records(tmp_path / "own.json", [row] * 3)))
    assert config["class_path"].endswith(".GroundingDataModule")
    width, height = encoder.seen_size((200, 100))
    assert (width, height) != (200, 100)
    for task, corners in (
        (None, [width // 2, height // 2, width, height]),
        (GroundingTask(coordinates="thousandths"), [500, 500, 1000, 1000]),
    ):
        reader = Reader(encoder, "examples")
        data = module(config, task=task, target="answer")
        quiet(limit_val_batches=0).fit(reader, data)
        written = [encoder.decode(example.response) for example in reader.batches[0]]
        assert all(f'[{{"bbox_2d": {corners}}}]' in text for text in written)
        assert all(
            problem.answer == f'[{{"bbox_2d": {corners}}}]' for problem in data.problems["val"]
        )
