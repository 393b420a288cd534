from pathlib import Path

import pytest
from PIL import Image, ImageFont

from reasonrft.data import preview
from reasonrft.data.lettering import find_font, printable, wrap
from reasonrft.data.sheet import GAP, WIDTH
from reasonrft.readers import DataError
from tests.readers.writing import write_records


@pytest.mark.parametrize("name", ["clevr", "trance", "geometry3k", "sharegpt_demo"])
def test_sheet(real, tmp_path, name):
    output = tmp_path / "sheet.png"
    assert preview(str(real / name), str(output), count=5, per_row=2) == 0
    with Image.open(output) as sheet:
        assert sheet.width == 2 * WIDTH + 3 * GAP
        assert len(sheet.getcolors(1 << 24) or ()) > 100


def test_a_seed_chooses_the_same_records(real, tmp_path):
    def sheet(seed: int) -> bytes:
        preview(str(real / "clevr"), str(tmp_path / "sheet.png"), count=2, seed=seed)
        return (tmp_path / "sheet.png").read_bytes()

    assert sheet(0) == sheet(0) != sheet(1)


def test_records_without_images(tmp_path):
    record = {"problem": "What is 14π?\n\n" + "long" * 99, "answer": "√2", "cot": "word " * 300}
    path = write_records(tmp_path / "data.json", [record])
    assert preview(str(path), str(tmp_path / "sheet.png")) == 0


def test_lines_fit_and_end():
    font = find_font("abc", 15)
    lines = wrap("word " * 200 + "x" * 200, font, 100, 4)
    assert len(lines) == 4 and lines[-1].endswith("...")
    assert all(font.getlength(line) <= 100 for line in lines)
    assert wrap("one\n\ntwo", font, 100, 4) == ["one", "two"]


def test_signs_that_a_font_lacks_are_spelt_out():
    font = ImageFont.load_default(15)
    assert printable("14π ≤ 3√2°, é", font) == "14pi <= 3sqrt2°, e"


def test_bad_usage(real, tmp_path):
    for options, reason in (
        ({"output": "sheet.jpg"}, "ends in .png"),
        ({"count": 0}, "one card at least"),
    ):
        with pytest.raises(DataError, match=reason):
            preview(str(real / "clevr"), **{"output": str(tmp_path / "x.png"), **options})
    write_records(tmp_path / "a.json", [{"problem": "?", "answer": "1", "image": "gone.png"}])
    with pytest.raises(DataError, match=r"no such file.*data validate lists all"):
        preview(str(tmp_path / "a.json"), str(tmp_path / "x.png"))
    assert [path.name for path in Path(tmp_path).iterdir()] == ["a.json"]
