"""PNG files: the same pixels, and nothing else in the file."""

import random

import numpy as np
import pytest

from reasonrft.worlds.drawing.png import encode_png
from tests.worlds.pixels import pixels_of


def noise(height: int, width: int, levels: int = 256) -> np.ndarray:
    rng = random.Random(0)
    values = [rng.randrange(levels) for _ in range(height * width * 3)]
    return np.array(values, np.uint8).reshape(height, width, 3)


IMAGES = {
    "one pixel": noise(1, 1),
    "one row": noise(1, 300),
    "one column": noise(300, 1),
    "noise": noise(37, 51),
    "two levels": noise(40, 40, 2),
    "white": np.full((90, 300, 3), 255, np.uint8),
    "a part of another": noise(40, 40)[3:20, 5:31],
}


@pytest.mark.parametrize("name", IMAGES)
def test_pixels_come_back(name):
    assert np.array_equal(pixels_of(encode_png(IMAGES[name])), IMAGES[name])


def chunks(data: bytes) -> list[bytes]:
    """The names of a PNG file's chunks."""
    names, at = [], 8
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        names.append(data[at + 4 : at + 8])
        at += 12 + size  # length, name, content, checksum
    return names


def test_a_file_holds_pixels_and_no_metadata():
    data = encode_png(IMAGES["noise"])
    assert chunks(data) == [b"IHDR", b"IDAT", b"IEND"]
    assert encode_png(IMAGES["noise"]) == data


def test_flat_drawings_stay_small():
    flat = np.full((300, 400, 3), 255, np.uint8)
    flat[100:200, 50:60] = (200, 30, 30)
    assert len(encode_png(flat)) < 4000
