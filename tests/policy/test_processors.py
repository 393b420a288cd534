import pytest

from reasonrft.errors import BadInput
from reasonrft.policy import Policy


@pytest.fixture(scope="module")
def seen(family_folder):
    def size(name, width, height):
        path = name if name == "tiny" else str(family_folder(name))
        return Policy(path).encoder.seen_size((width, height))

    return size


def test_the_size_that_qwen_resizes_to(seen):
    # Sides are multiples of 28, and there are 12,544 pixels at most: with 200 x 100, by a factor of
    # (20,000 / 12,544) ** 0.5 = 1.263, they are 5 and 2 times 28; with 60 x 30, 2 and 1 times.
    assert seen("qwen2.5-vl", 200, 100) == (140, 56)
    assert seen("qwen2.5-vl", 60, 30) == (56, 28)


def test_the_size_of_a_model_with_a_fixed_one(seen):
    assert seen("tiny", 480, 320) == seen("tiny", 10, 10) == (144, 96)


def test_tiles_have_no_pixels_to_count(seen):
    with pytest.raises(BadInput, match="boxes in thousandths"):
        seen("llava-onevision", 200, 100)
