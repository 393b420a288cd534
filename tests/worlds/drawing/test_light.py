"""Effects on images: drawn from one source, bounded, repeatable."""

import hashlib
import random

import numpy as np
import pytest

from reasonrft.errors import BadInput
from reasonrft.worlds.drawing.light import (
    BlackPatches,
    Blur,
    Compression,
    Effect,
    RandomLight,
    SensorNoise,
    apply,
)

EFFECTS = RandomLight(), SensorNoise(), Blur(), Compression(), BlackPatches()


def slope(height: int = 40, width: int = 60) -> np.ndarray:
    rows, columns = np.arange(height)[:, None, None], np.arange(width)[None, :, None]
    return (3 * rows + 2 * columns + np.array([0, 10, 20])).astype(np.uint8)


@pytest.mark.parametrize("effect", EFFECTS)
def test_the_same_source_gives_the_same_image(effect: Effect) -> None:
    pixels = slope()
    before = pixels.copy()
    one, two = (effect(pixels, random.Random(5)) for _ in range(2))
    assert one.shape == pixels.shape and one.dtype == np.uint8
    assert (one == two).all()
    assert (pixels == before).all()
    assert (one != effect(pixels, random.Random(6))).any()


def test_light_that_changes_nothing() -> None:
    still = RandomLight((1, 1), (1, 1), (1, 1), (1, 1), gradient=0, noise=0)
    assert (still(slope(), random.Random(0)) == slope()).all()
    assert (SensorNoise((0, 0))(slope(), random.Random(0)) == slope()).all()
    assert (Blur((0, 0))(slope(), random.Random(0)) == slope()).all()


def test_gamma_and_gain_are_curves() -> None:
    gray = np.full((2, 2, 3), 128, np.uint8)
    darker = RandomLight((2, 2), (1, 1), (1, 1), (1, 1), gradient=0, noise=0)
    # 255 (128 / 255)^2 = 64.25
    assert (darker(gray, random.Random(0)) == 64).all()
    dimmer = RandomLight((1, 1), (0.5, 0.5), (1, 1), (1, 1), gradient=0, noise=0)
    assert (dimmer(gray, random.Random(0)) == 64).all()


def test_saturation_nought_is_gray() -> None:
    colorless = RandomLight((1, 1), (1, 1), (0, 0), (1, 1), gradient=0, noise=0)
    # Mean of 30, 90 and 240.
    assert (colorless(np.full((2, 2, 3), (30, 90, 240), np.uint8), random.Random(0)) == 120).all()


def test_noise_has_the_deviation_asked_for() -> None:
    gray = np.full((120, 120, 3), 128, np.uint8)
    noisy = SensorNoise((0.02, 0.02))(gray, random.Random(1)).astype(float)
    assert noisy.mean() == pytest.approx(128, abs=0.2)
    assert noisy.std() == pytest.approx(255 * 0.02, rel=0.03)


def test_blur_spreads_a_line_by_its_radius() -> None:
    line = np.zeros((9, 41, 3), np.uint8)
    line[:, 20] = 255
    row = Blur((1.5, 1.5))(line, random.Random(0))[4, :, 0].astype(float)
    spread = ((np.arange(41) - 20) ** 2 * row).sum() / row.sum()
    assert spread == pytest.approx(1.5**2, rel=0.1)
    flat = np.full((5, 7, 3), 77, np.uint8)
    assert (Blur((2, 2))(flat, random.Random(0)) == 77).all()


def test_compression_is_lossy_and_close() -> None:
    packed = Compression((30, 30))(slope(), random.Random(0))
    assert 0 < np.abs(packed.astype(int) - slope()).mean() < 10


def test_black_patches_cover_the_share_asked_for() -> None:
    # 3 x 5 squares of 14, of which the last of rows and columns are cut off.
    black = (BlackPatches(0.6)(slope() | 1, random.Random(0)) == 0).all(-1)
    squares = [
        black[14 * row : 14 * row + 14, 14 * column : 14 * column + 14]
        for row in range(3)
        for column in range(5)
    ]
    assert sum(square.all() for square in squares) == 9
    assert sum(square.any() for square in squares) == 9
    with pytest.raises(BadInput, match="share must be above 0 and at most 1"):
        BlackPatches(0)


def test_effects_follow_each_other() -> None:
    rng = random.Random(3)
    by_hand = SensorNoise()(Blur()(slope(), rng), rng)
    assert (apply([Blur(), SensorNoise()], slope(), random.Random(3)) == by_hand).all()
    assert np.array_equal(apply([], slope(), random.Random(3)), slope())


def test_pixels_are_the_same_on_every_machine() -> None:
    # All but JPEG, whose bytes depend on the build of Pillow.
    pixels = apply(EFFECTS[:3], slope(), random.Random(0))
    assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == "f92b786d2b960003"
