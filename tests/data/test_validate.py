"""`data validate`: one clear line per fault, and answers derived again."""

import io
import json
import os
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from reasonrft.data import validate
from reasonrft.readers import DataError
from tests.readers.writing import write_image, write_records

COUNTS = {
    "clevr": (456, 456),
    "trance": (75, 75),
    "trance/states.json": (75, 75),
    "super_clevr": (26, 26),
    "geometry3k": (19, 0),
    "paper_cases": (5, 0),
    "sharegpt_demo": (6, 0),
}


def report(capsys: pytest.CaptureFixture[str], source: Path, **options: object) -> list[str]:
    """Exit code and lines of a validation."""
    code = validate(str(source), **options)
    lines = capsys.readouterr().out.splitlines()
    assert code == (1 if len(lines) > 1 else 0)
    return lines


@pytest.mark.parametrize("name", COUNTS)
def test_real_samples(real, capsys, name):
    records, rederived = COUNTS[name]
    [line] = report(capsys, real / name, json=True)
    assert json.loads(line) == {
        "records": records,
        "faults": 0,
        "rederived": rederived,
        "agreed": rederived,
    }


def bomb() -> bytes:
    """A PNG that says it is 20,000 pixels wide and high."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    length, checksum = struct.pack(">I", len(header)), struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + length + chunk + checksum + b"\0\0\0\0IEND\xaeB`\x82"


def test_every_fault_is_one_clear_line(tmp_path, capsys):
    outside = write_image(tmp_path / "outside.png")
    home = tmp_path / "data"
    good = write_image(home / "good.png", size=(64, 64))
    noise = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(noise, "PNG")
    (home / "cut.png").write_bytes(noise.getvalue()[:900])
    (home / "bomb.png").write_bytes(bomb())
    (home / "page.png").write_bytes(b"<html>not found</html>")
    (home / "link.png").symlink_to(outside)
    base = {"problem": "How many?", "answer": "3", "image": good.name}
    expected = {
        "gone": ({"image": "gone.png"}, "key 'image': no such file: "),
        "cut": ({"image": "cut.png"}, "key 'image': damaged image: "),
        "page": ({"image": "page.png"}, "key 'image': not an image: "),
        "bomb": ({"image": "bomb.png"}, "is over the limit of 64,000,000 pixels"),
        "out": ({"image": "../outside.png"}, "climbs out of the image root"),
        "link": ({"image": "link.png"}, "climbs out of the image root"),
        "type": ({"answer": {"value": 3}}, "key 'answer': must be text or a number"),
        "clevr-1": ({"answer": "many"}, "key 'answer': 'many' is not a whole number"),
        "call": ({"answer": "change_color(1, pink)", "task": "transformation"}, "key 'answer'"),
        "tags": ({"problem": "<image><image>?"}, "key 'problem': has 2 <image> tags for 1 image"),
        "twin": ({}, "key 'id': is taken already by record 1 of "),
        "key": ({"problem": None, "problm": "How many?"}, "key 'problem': is null"),
    }
    records = [{"id": "twin", **base}]
    records += [{"id": id, **base, **change} for id, (change, _) in expected.items()]
    write_records(home / "records.json", records)
    (home / "page.json").write_text("<!doctype html><html></html>")
    page, *faults, last = report(capsys, home, every=True)
    assert page == f"{home / 'page.json'}: is a web page (HTML), not data: the download went wrong"
    assert last == "records: 13, faults: 13; 0 answers derived again, 0 agree"
    for number, (fault, id) in enumerate(zip(faults, expected, strict=True), 2):
        assert fault.startswith(f"{home / 'records.json'}, record {number} (id '{id}')"), fault
        assert expected[id][1] in fault, fault


def test_answers_that_scenes_contradict(real, tmp_path, capsys):
    records = json.loads((real / "clevr" / "records.json").read_text())[:3]
    records[1]["answer"] = str(int(records[1]["answer"]) + 1)
    write_records(tmp_path / "records.json", records)
    (tmp_path / "images").symlink_to(real / "clevr" / "images")
    (tmp_path / "scenes.json").write_bytes((real / "clevr" / "scenes.json").read_bytes())
    fault, last = report(capsys, tmp_path, image_root=str(real / "clevr"))[-2:]
    assert "climbs" not in fault
    right, wrong = int(records[1]["answer"]) - 1, records[1]["answer"]
    assert fault.endswith(f"key 'answer': the scene gives {right}, the record says {wrong}")
    assert last == "records: 3, faults: 1; 3 answers derived again, 2 agree"


def test_answers_that_states_contradict(real, tmp_path, capsys):
    records = json.loads((real / "trance" / "records.json").read_text())[:4]
    states = json.loads((real / "trance" / "states.json").read_text())[:4]
    records[0]["answer"] = "change_color(2, red)"
    records[1]["position_options"] = [[0, ["metal", "rubber"]]]
    states[2]["states"][1]["objects"][0]["color"] = "purple"
    write_records(tmp_path / "records.json", records)
    write_records(tmp_path / "states.json", states)
    *faults, last = report(capsys, tmp_path, image_root=str(real / "trance"))
    assert "the states give change_color(2, cyan), change" in faults[0]
    assert "the record says change_color(2, red)" in faults[0]
    assert "key 'options': step 0 of the states does not admit metal" in faults[1]
    assert "transformations leave object 0 with another color" in faults[2]
    assert last == "records: 4, faults: 3; 4 answers derived again, 1 agree"


def test_scenes_in_clevrs_own_layout(real, tmp_path, capsys):
    records = json.loads((real / "clevr" / "records.json").read_text())[:5]
    questions = [
        {
            "image_filename": Path(record["image"]).name,
            "question": record["problem"],
            "answer": int(record["answer"]),
            "question_index": number,
        }
        for number, record in enumerate(records)
    ]
    write_records(tmp_path / "questions" / "train.json", {"info": {}, "questions": questions})
    (tmp_path / "scenes").mkdir()
    scenes = (real / "clevr" / "scenes.json").read_bytes()
    (tmp_path / "scenes" / "train.json").write_bytes(scenes)
    for record in records:
        image = tmp_path / record["image"]
        image.parent.mkdir(exist_ok=True)
        image.write_bytes((real / "clevr" / record["image"]).read_bytes())
    for source in (tmp_path, tmp_path / "questions" / "train.json"):
        [line] = report(capsys, source)
        assert line == "records: 5, faults: 0; 5 answers derived again, 5 agree"


def test_bad_usage(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        validate(str(tmp_path / "nowhere"))


def test_nothing_here_needs_torch():
    import subprocess
    import sys

    code = "import sys, reasonrft.data, reasonrft.readers; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_pipes_and_folders_beside_records_are_passed_by(tmp_path, capsys):
    write_image(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    row = {"image": "a.png", "question": "How many red cubes are there?", "answer": "3"}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row | {"task": "counting"}))
    [line] = report(capsys, tmp_path / "rows.jsonl")
    assert line.startswith("records: 1, faults: 0")
