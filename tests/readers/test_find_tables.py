"""Files and folders: what is read, and what is said of what cannot be."""

import json
import os
from pathlib import Path

import pytest

from reasonrft.problems import Problem
from reasonrft.readers import DataError, Fault, load_problems, read_problems
from reasonrft.readers.saved import _encoded
from tests.readers.writing import write_image, write_lines, write_records

ROW = {"problem": "What?", "answer": "1"}


def only_fault(source: Path, **options: object) -> str:
    [found] = read_problems(source, **options)
    assert isinstance(found, Fault)
    return str(found)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"  \n ", "is empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git-LFS pointer"),
        (b"PK\x03\x04rest", "packed archive"),
        (b"\x93\xfe\x00\x01binary", "is not UTF-8 text (byte 0)"),
        (b'[{"problem": "a", "answer": "1"},\n {"probl', "line 2, column 3"),
        (b'[{"problem": "a", "answer": "1"}', "it ends too early"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" + b"9" * 5000 + b"]", "is not readable JSON"),
        (b"3", "holds no records"),
        (b"[]", "holds no records"),
        (b'{"a": 1}', "neither a list of records"),
        (b'[{"colour": 1}]', "is in no known format; known are tvr"),
        (b"[1, 2]", "is in no known format"),
        (b'{"scenes": []}', "holds scene graphs"),
        (b'{"train": [{"a": 1}], "test": [{"a": 1}]}', "several lists (train, test)"),
    ],
)
def test_files_that_are_no_records(tmp_path, content, reason):
    path = tmp_path / "data.json"
    path.write_bytes(content)
    fault = only_fault(path)
    assert reason in fault and fault.startswith(str(path)) and "\n" not in fault


def test_bad_lines_leave_the_others_readable(tmp_path):
    path = tmp_path / "data.jsonl"
    lines = ["\ufeff" + json.dumps(ROW), '{"problem": ', "", "[1]", json.dumps(ROW), '"\\ud800"']
    path.write_text("\n".join(lines), encoding="utf-8")
    found = list(read_problems(path))
    faults = [str(one) for one in found if isinstance(one, Fault)]
    assert [one.id for one in found if isinstance(one, Problem)] == ["data-000001", "data-000005"]
    assert [fault.split(": ")[0].split(", ")[1] for fault in faults] == [
        "line 2",
        "line 4",
        "line 6",
    ]


def test_lines_in_a_file_called_json(tmp_path):
    path = tmp_path / "data.json"
    write_lines(path, [ROW, ROW])
    assert len(load_problems(path)) == 2


def test_byte_order_mark(tmp_path):
    path = tmp_path / "data.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps([ROW]).encode())
    assert len(load_problems(path)) == 1


def test_misspelt_keys(tmp_path):
    record = {"id": "x", "image": "a.png", "problm": "What?", "answer": "1"}
    fault = only_fault(write_records(tmp_path / "data.json", [record]))
    assert "record 1 (id 'x'), key 'problm': is not read; did you mean problem?" in fault
    record = {"id": "x", "img_path": "a.png", "problem": "What?", "answer": "1"}
    fault = only_fault(write_records(tmp_path / "data.json", [record]))
    assert "key 'img_path'" in fault and "columns image=img_path" in fault
    record = {"mesages": [], "images": []}
    fault = only_fault(write_records(tmp_path / "data.json", [record]))
    assert "key 'mesages': is not read; did you mean messages?" in fault


def test_format_can_be_named(tmp_path):
    path = write_records(tmp_path / "data.json", [ROW])
    assert "needs messages" in only_fault(path, format="sharegpt")


def test_control_characters_stay_out_of_messages(tmp_path):
    record = {"id": "x\x1b[31m\nred", "problem": 3, "answer": "1"}
    fault = only_fault(write_records(tmp_path / "data.json", [record]))
    assert fault.isprintable()


def test_paths_stay_inside_the_root(tmp_path):
    outside = write_image(tmp_path / "secret.png")
    write_image(tmp_path / "data" / "a.png")
    (tmp_path / "data" / "link.png").symlink_to(outside)
    (tmp_path / "data" / "loop.png").symlink_to(tmp_path / "data" / "loop.png")
    for name in ("../secret.png", str(outside), "link.png", "a/../../secret.png"):
        row = {**ROW, "image": name}
        fault = only_fault(write_records(tmp_path / "data" / "data.json", [row]))
        assert "climbs out of the image root" in fault and "--image-root" in fault
    row = {**ROW, "image": "data/link.png"}
    path = write_records(tmp_path / "data" / "data.json", [row])
    assert load_problems(path, image_root=tmp_path)[0].images[0].is_file()
    for name in ("https://example.com/a.png", "", "a\0.png"):
        row = {**ROW, "image": name}
        assert "key 'image'" in only_fault(write_records(tmp_path / "data" / "data.json", [row]))


def test_folders(tmp_path):
    write_records(tmp_path / "train.json", [ROW])
    write_records(tmp_path / "deeper" / "test.json", [ROW])
    write_records(tmp_path / "scenes.json", {"scenes": []})
    assert [one.id for one in load_problems(tmp_path)] == ["train-000001"]
    (tmp_path / "train.json").unlink()
    assert [one.id for one in load_problems(tmp_path)] == ["deeper/test-000001"]
    write_records(tmp_path / "odd.json", {"what": "is this"})
    assert "odd.json" in only_fault(tmp_path)


def test_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match="holds no record files"):
        load_problems(tmp_path)


def test_splits_of_records(tmp_path):
    path = write_records(tmp_path / "data.json", [{**ROW, "split": "id"}, {**ROW, "split": "ood"}])
    assert [one.id for one in load_problems(path, split="ood")] == ["data-000002"]
    with pytest.raises(DataError, match="no record of split 'val'; its splits are id, ood"):
        load_problems(path, split="val")


def test_parquet(tmp_path):
    import pyarrow
    import pyarrow.parquet

    image = write_image(tmp_path / "a.png").read_bytes()
    row = {"images": [{"bytes": image, "path": None}], "problem": "<image>What?", "answer": 3}
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), tmp_path / "train-0.parquet")
    [found] = load_problems(tmp_path)
    assert (found.images, found.answer) == ((image,), "3")
    whole = (tmp_path / "train-0.parquet").read_bytes()
    (tmp_path / "train-0.parquet").write_bytes(whole[:-40])
    assert "parquet file is damaged" in only_fault(tmp_path)


def test_saved_data_sets(tmp_path):
    from datasets import Dataset, DatasetDict, Features, Image, List, Value

    image = write_image(tmp_path / "a.png")
    features = Features(
        {"images": List(Image()), "problem": Value("string"), "answer": Value("int64")}
    )
    rows = [{"images": [str(image)], "problem": "<image>What?", "answer": 3}]
    data = Dataset.from_list(rows, features=features)
    data.save_to_disk(tmp_path / "one")
    DatasetDict(train=data, test=data).save_to_disk(tmp_path / "two")
    [found] = load_problems(tmp_path / "one")
    assert found.images == (image.read_bytes(),)  # still encoded as it was
    [found] = load_problems(tmp_path / "two", split="test")
    assert (found.id, found.answer, found.question) == ("test-000001", "3", "What?")
    with pytest.raises(DataError, match="which split\\? It has train, test; pass --split"):
        load_problems(tmp_path / "two")
    with pytest.raises(DataError, match="no split 'val'"):
        load_problems(tmp_path / "two", split="val")
    (tmp_path / "one" / "state.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read as a saved data set"):
        load_problems(tmp_path / "one")


def test_a_hub_name_that_cannot_be_had(monkeypatch):
    import datasets

    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach the Hub\nat all")

    monkeypatch.setattr(datasets, "load_dataset", fail)
    with pytest.raises(DataError) as caught:
        load_problems("nobody/nothing")
    assert str(caught.value).startswith("no file or folder nobody/nothing, and not to be had")
    assert "\n" not in str(caught.value)


def test_a_misspelt_path_is_not_asked_of_the_hub(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="no such file or folder: data/trian"):
        load_problems("data/trian")


def test_the_same_fault_of_many_records_is_one_line(tmp_path):
    path = write_records(tmp_path / "data.json", [ROW] + [{**ROW, "image": {}}] * 30)
    with pytest.raises(DataError) as caught:
        load_problems(path)
    assert len(caught.value.faults) == 30
    _, line = str(caught.value).splitlines()
    assert line.startswith(
        f"{path}, 30 records: record 2, record 3, record 4 and 27 more, key 'image': must be a path"
    )


def test_faults_of_one_kind_are_one_line(tmp_path):
    rows = [{"question": "?", "answer": "1", "image": f"../{n}.png"} for n in range(5)]
    with pytest.raises(DataError) as caught:
        load_problems(write_records(tmp_path / "data.json", rows))
    [_, line] = str(caught.value).splitlines()
    assert "5 records: record 1, record 2, record 3 and 2 more, key 'image'" in line
    assert "the first: '../0.png' climbs out" in line


def test_real_samples(real):
    counts = {
        "clevr": ("counting", 456),
        "super_clevr": ("counting", 26),
        "trance": ("transformation", 75),
        "geometry3k": ("structure", 19),
        "sharegpt_demo": ("general", 6),
    }
    for name, (task, count) in counts.items():
        problems = load_problems(real / name)
        assert [one.task for one in problems] == [task] * count
    assert [one.task for one in load_problems(real / "paper_cases")] == [
        "counting", *["structure"] * 4
    ]  # fmt: skip
    assert load_problems(real / "geometry3k")[0].choices == ("6.93", "7.50", "8.94", "10.00")
    [fault] = read_problems(real / "geometry3k" / "formal.json")
    assert "logic forms" in str(fault)


def test_states_give_the_same_problems_as_records(real):
    def facts(problem: Problem) -> tuple[object, ...]:
        return problem.images, problem.question, problem.answer, problem.meta["split"]

    records = load_problems(real / "trance")
    states = load_problems(real / "trance" / "states.json")
    assert {*map(facts, records)} == {*map(facts, states)}
    first = next(one for one in states if one.id == "tvr_ood-left_000024")
    assert (first.meta["level"], first.meta["view"]) == (3, "left")
    [[step, values]] = first.meta["options"]
    assert step == 1
    assert {*values} == {"front_left", "front_right", "behind_right", "right", "front"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": "a" * 300}, "is not a path (File name too long)"),
        ({"image": "a/" * 3_000}, "is not a path (File name too long)"),
        ({"problem": "q" * 1_000_001}, "has 1,000,001 characters; 1,000,000 are the most"),
        ({"choices": ["<image>", "b"]}, "key 'choices': hold <image>"),
    ],
)
def test_fields_without_end_and_images_among_choices(tmp_path, change, message):
    assert message in only_fault(write_records(tmp_path / "data.json", [ROW | change]))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    assert only_fault(tmp_path / "pipe.json").endswith("pipe.json: is not a file")


def test_a_saved_data_set_names_no_files_outside_of_it(tmp_path):
    from datasets import Dataset, DatasetDict

    data = Dataset.from_list([ROW])
    data.save_to_disk(tmp_path / "private")
    DatasetDict(train=data).save_to_disk(tmp_path / "sent")
    state = tmp_path / "sent" / "train" / "state.json"
    [file] = (tmp_path / "private").glob("*.arrow")
    state.write_text(json.dumps({"_data_files": [{"filename": f"../../private/{file.name}"}]}))
    with pytest.raises(DataError, match=r"names '\.\./\.\./private/data.* lies outside of"):
        load_problems(tmp_path / "sent", split="train")
    (tmp_path / "sent" / "dataset_dict.json").write_text('{"splits": ["../private"]}')
    with pytest.raises(DataError, match=r"names '\.\./private', which lies outside of"):
        load_problems(tmp_path / "sent", split="../private")


def test_sound_and_video_stay_undecoded():
    from datasets import Audio, Features, Image, List, Video

    features = {"a": Audio(), "b": List({"c": Video()}), "d": Image()}
    kept = {"a": Audio(decode=False), "b": List({"c": Video(decode=False)})}
    encoded = {name: _encoded(feature) for name, feature in Features(features).items()}
    assert encoded == kept | {"d": Image(decode=False)}
