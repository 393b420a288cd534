"""PNG files: exact, and the same bytes everywhere."""

import hashlib
import io
import random
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from reasonrft.worlds.drawing.png import _code_lengths, _deflated, decode, encode_png


def noise(height: int, width: int, levels: int = 256, seed: int = 0) -> np.ndarray:
    rng = random.Random(seed)
    values = [rng.randrange(levels) for _ in range(height * width * 3)]
    return np.array(values, np.uint8).reshape(height, width, 3)


PICTURES = {
    "one pixel": noise(1, 1),
    "one row": noise(1, 300),
    "one column": noise(300, 1),
    "noise": noise(37, 51),
    "two levels": noise(40, 40, 2),
    "white": np.full((90, 300, 3), 255, np.uint8),
    "black": np.zeros((3, 2, 3), np.uint8),
    "slope": np.add.outer(np.arange(70), np.arange(0, 300, 3)).astype(np.uint8)[..., None]
    + np.zeros(3, np.uint8),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pillow_reads_the_same_pixels(name: str) -> None:
    pixels = PICTURES[name]
    with Image.open(io.BytesIO(encode_png(pixels))) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        image.verify()
    assert (decode(encode_png(pixels)) == pixels).all()


@given(st.binary(min_size=1, max_size=2000), st.integers(1, 300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_come_back(data: bytes, repeats: int) -> None:
    # Repeats of one byte make runs of every length around deflate's 3 and 258.
    data = data + data[-1:] * repeats + data[:7]
    assert zlib.decompress(_deflated(data), wbits=-15) == data


@pytest.mark.parametrize(
    "length", (1, 2, 3, 4, 5, 257, 258, 259, 260, 261, 262, 516, 517, 518, 5000)
)
def test_runs_of_every_length_come_back(length: int) -> None:
    data = b"ab" + b"c" * length + b"d"
    assert zlib.decompress(_deflated(data), wbits=-15) == data


def test_code_words_stay_within_deflates_fifteen_bits() -> None:
    # Counts like Fibonacci's numbers make the deepest trees.
    counts = [1, 1]
    while len(counts) < 30:
        counts.append(counts[-1] + counts[-2])
    lengths = _code_lengths(counts)
    assert max(lengths) <= 15
    assert sum(2.0**-length for length in lengths) == 1  # Kraft: a full tree.


def test_flat_drawings_stay_small() -> None:
    flat = np.full((300, 400, 3), 255, np.uint8)
    flat[100:200, 50:60] = (200, 30, 30)
    assert len(encode_png(flat)) < 4000


def test_bytes_are_the_same_on_every_machine() -> None:
    data = b"".join(encode_png(PICTURES[name]) for name in sorted(PICTURES))
    assert hashlib.sha256(data).hexdigest()[:16] == "03bba622c1546f1b"
