"""`data convert`: layouts, round trips, and nothing half-written."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest

from reasonrft.data import convert
from reasonrft.errors import BadInput
from reasonrft.problems import Problem
from reasonrft.readers import DataError, load_problems
from tests.readers.writing import write_image, write_records

FOLDERS = ["clevr", "trance", "trance/states.json", "geometry3k", "paper_cases", "sharegpt_demo"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Six records with chains of thought, four of them counting."""
    write_image(tmp_path / "in" / "a.png")
    records = [
        {
            "id": f"{'clevr-math' if number < 4 else 'geomath'}-{number}",
            "image": "a.png",
            "problem": "How many?",
            "answer": str(number),
            "cot": f"I see {number}.",
        }
        for number in range(6)
    ]
    return write_records(tmp_path / "in" / "data.json", records)


def rows(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text())


def without_thought(problems: list[Problem]) -> list[Problem]:
    return [dataclasses.replace(problem, cot="") for problem in problems]


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("to", ["rl", "sharegpt"])
def test_round_trip(real, tmp_path, capsys, name, to):
    output = tmp_path / "out" / "data.json"
    assert convert(str(real / name), to, str(output)) == 0
    root = (real / name if (real / name).is_dir() else (real / name).parent).resolve()
    assert f"--image-root {root}" in capsys.readouterr().out
    assert load_problems(output, image_root=root) == load_problems(real / name)


def test_thoughts_survive_in_sharegpt(source, tmp_path):
    convert(str(source), "sharegpt", str(tmp_path / "in" / "talks.json"))
    assert load_problems(tmp_path / "in" / "talks.json") == load_problems(source)
    convert(str(source), "rl", str(tmp_path / "in" / "rl.json"))
    assert load_problems(tmp_path / "in" / "rl.json") == without_thought(load_problems(source))


def test_rl_row(source, tmp_path, capsys):
    output = tmp_path / "in" / "rl.json"
    convert(str(source), "rl", str(output))
    assert rows(output)[3] == {
        "id": "clevr-math-3",
        "image": "a.png",
        "problem": "How many?",
        "solution": "3",
        "answer": "3",
        "task": "counting",
    }
    assert "--image-root" not in capsys.readouterr().out


def test_sft_rows(source, tmp_path):
    convert(str(source), "ans-sft", str(tmp_path / "ans.json"))
    convert(str(source), "cot-sft", str(tmp_path / "cot.json"), template="Q: {question} Think!")
    assert rows(tmp_path / "ans.json")[3]["messages"] == [
        {"role": "user", "content": "<image>How many?"},
        {"role": "assistant", "content": "3"},
    ]
    thoughtful = rows(tmp_path / "cot.json")[3]
    assert thoughtful["messages"] == [
        {"role": "user", "content": "<image>Q: How many? Think!"},
        {
            "role": "assistant",
            "content": "<think>\nI see 3.\n</think>\n<answer>\n3\n</answer>",
        },
    ]
    assert thoughtful["images"] == ["a.png"]
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    assert [(name, entry["file_name"]) for name, entry in info.items()] == [
        ("ans", "ans.json"),
        ("cot", "cot.json"),
    ]


def test_reason_rft_stages(source, tmp_path):
    def ids(stage: int) -> list[str]:
        return [row["id"] for row in rows(tmp_path / f"out-stage{stage}.json")]

    for _ in range(2):
        convert(str(source), "reason-rft", str(tmp_path / "out.json"), stage1=3, seed=1)
        first, second = ids(1), ids(2)
    assert len(first) == 3 and first == sorted(first)
    counting = [f"clevr-math-{number}" for number in range(4)]
    # Structure has so few records that stage 2 takes all of them.
    assert second == [id for id in counting if id not in first] + ["geomath-4", "geomath-5"]
    convert(str(source), "reason-rft", str(tmp_path / "out.json"), stage1=3, stage2="rest")
    assert len(ids(2)) == 3 and not {*ids(1)} & {*ids(2)}
    convert(str(source), "reason-rft", str(tmp_path / "out.json"), stage1=3, stage2="all")
    assert len(ids(2)) == 6
    assert [*json.loads((tmp_path / "dataset_info.json").read_text())] == ["out-stage1"]


def test_copied_images_make_the_output_self_contained(source, tmp_path, capsys):
    output = tmp_path / "out" / "data.json"
    convert(str(source), "rl", str(output), copy_images=True)
    assert "--image-root" not in capsys.readouterr().out
    [image] = load_problems(output)[0].images
    assert image == output.parent / "a.png"
    assert image.read_bytes() == (source.parent / "a.png").read_bytes()
    write_image(image, "green")
    with pytest.raises(BadInput, match="is there already, and is another image"):
        convert(str(source), "rl", str(output), copy_images=True)


def test_images_without_files_are_written(tmp_path):
    from datasets import Dataset, Features, Image, Value

    image = write_image(tmp_path / "a.png")
    features = Features({"image": Image(), "problem": Value("string"), "solution": Value("string")})
    data = Dataset.from_list(
        [{"image": str(image), "problem": "What?", "solution": "1"}] * 2, features=features
    )
    data.save_to_disk(tmp_path / "saved")
    output = tmp_path / "out" / "rl.json"
    assert convert(str(tmp_path / "saved"), "rl", str(output)) == 0
    first, second = load_problems(output)
    assert first.images == second.images and first.images[0].read_bytes() == image.read_bytes()
    assert [path.name for path in output.parent.iterdir() if path.is_file()] == ["rl.json"]


def test_other_frameworks_can_load_the_output(real, tmp_path):
    from datasets import load_dataset

    for to in ("rl", "sharegpt"):
        for name in ("trance", "geometry3k"):
            output = tmp_path / f"{to}-{name}.json"
            convert(str(real / name), to, str(output))
            data = load_dataset("json", data_files=str(output), cache_dir=str(tmp_path / "cache"))
            assert len(data["train"]) == len(rows(output))


def test_any_fault_means_that_nothing_is_written(source, tmp_path, capsys):
    records = rows(source)
    records[1].pop("cot")
    records[2]["image"] = "gone.png"
    write_records(source, records)
    assert convert(str(source), "cot-sft", str(tmp_path / "out" / "data.json")) == 1
    image, thought, last = capsys.readouterr().out.splitlines()
    assert "record 3 (id 'clevr-math-2'), key 'image': no such file" in image
    assert "record 2 (id 'clevr-math-1'), key 'cot': is missing" in thought
    assert last == "2 faults; nothing is written"
    assert not (tmp_path / "out").exists()


def test_a_failure_half_way_leaves_nothing(source, tmp_path, monkeypatch):
    (tmp_path / "dataset_info.json").write_text("{broken")
    with pytest.raises(DataError, match=r"dataset_info\.json cannot be read"):
        convert(str(source), "sharegpt", str(tmp_path / "data.json"))
    (tmp_path / "dataset_info.json").unlink()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("shutil.copyfile", fail)
    with pytest.raises(OSError, match="disk full"):
        convert(str(source), "rl", str(tmp_path / "new" / "x" / "data.json"), copy_images=True)
    assert sorted(os.listdir(tmp_path)) == ["in"]


def test_other_entries_of_dataset_info_stay(source, tmp_path):
    write_records(tmp_path / "dataset_info.json", {"theirs": {"hf_hub_url": "a/b"}})
    convert(str(source), "sharegpt", str(tmp_path / "mine.json"))
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    assert info["theirs"] == {"hf_hub_url": "a/b"}
    assert info["mine"]["columns"] == {"messages": "messages", "images": "images"}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"to": "csv"}, "no layout 'csv': use one of ans-sft"),
        ({"output": "out.txt"}, "ends in .json"),
        ({"to": "reason-rft"}, "stage 1 wants 1600 records, and 6 of 6 have a chain"),
        ({"to": "reason-rft", "stage1": 6, "stage2": "rest"}, "leaves none for stage 2"),
        ({"to": "reason-rft", "stage2": "some"}, "the rest or all, not 'some'"),
        ({"template": "{question}"}, "hold no prompt"),
        ({"to": "cot-sft", "template": "no place"}, "has no {question}"),
    ],
)
def test_bad_usage_is_one_sentence(source, tmp_path, options, reason):
    output = str(tmp_path / options.pop("output", "out.json"))
    with pytest.raises(ValueError) as caught:
        convert(str(source), options.pop("to", "rl"), output, **options)
    assert reason in str(caught.value)
    with pytest.raises(DataError, match="is the source itself"):
        convert(str(source), "rl", str(source))
