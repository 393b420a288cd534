import pytest

from reasonrft.distillation.choose_chains import Sample
from reasonrft.distillation.sample_file import SampleFile
from reasonrft.errors import BadInput

SETTINGS = {"policy": "tiny", "samples": 2}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "samples.jsonl"
    file = SampleFile(path, SETTINGS)
    file.add(["k1", "k2"], ["p1", "p2"], [{"own": [Sample("a", 1, True)]}] * 2)
    return path


def test_half_a_line_is_dropped_and_the_others_stay(path):
    whole = path.read_bytes()
    for cut in (1, 20):
        path.write_bytes(whole[:-cut])
        assert list(SampleFile(path, SETTINGS).known) == ["k1"]
    again = SampleFile(path, SETTINGS)
    again.add(["k2"], ["p2"], [{"own": [Sample("a", 1, True)]}])
    assert path.read_bytes() == whole


def test_a_file_that_was_killed_in_its_first_line_begins_again(path):
    path.write_bytes(path.read_bytes()[:9])
    assert SampleFile(path, SETTINGS).known == {}
    assert SampleFile(path, SETTINGS).known == {}


def test_samples_of_another_kind_and_other_files_are_refused(path):
    with pytest.raises(BadInput, match="for samples was 2 and is 3: give another --output"):
        SampleFile(path, SETTINGS | {"samples": 3})
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"[]\n" + lines[2])
    with pytest.raises(BadInput, match="line 2 holds no samples"):
        SampleFile(path, SETTINGS)
    path.write_bytes(b"no JSON\n\n")
    with pytest.raises(BadInput, match="line 1 holds no samples"):
        SampleFile(path, SETTINGS)
