import math
import random
from fractions import Fraction

import numpy as np
import pytest

from reasonrft.worlds.structure.chain import Chain
from reasonrft.worlds.structure.equations import solve
from reasonrft.worlds.structure.glyphs import glyph_coverage, strokes, text_width
from reasonrft.worlds.structure.options import offer
from reasonrft.worlds.structure.raster import Canvas
from reasonrft.worlds.structure.values import Linear, Value, root, whole


@pytest.fixture
def rng() -> random.Random:
    return random.Random(0)


WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def ink(canvas: Canvas) -> float:
    """Black area in pixels."""
    return float((255 - canvas.channels[0]).sum() / 255)


def test_shapes_cover_their_area():
    canvas = Canvas(60, 60, WHITE)
    canvas.disc((30.3, 29.6), 20, BLACK)
    assert ink(canvas) == pytest.approx(math.pi * 400, rel=0.005)
    canvas = Canvas(60, 60, WHITE)
    canvas.area([(10.2, 10.4), (50.7, 20.1), (30.5, 45.9)], BLACK)
    # Half of |40.5 * 35.5 - 9.7 * 20.3| by the cross product.
    assert ink(canvas) == pytest.approx(620.42, rel=0.01)
    canvas = Canvas(60, 60, WHITE)
    canvas.stroke([(10.3, 20.2), (50.3, 20.2)], 3, BLACK)
    assert ink(canvas) == pytest.approx(40 * 3 + math.pi * 1.5**2, rel=0.02)
    canvas = Canvas(60, 60, WHITE)
    canvas.ring((30, 30), 20, 2, BLACK)
    assert ink(canvas) == pytest.approx(2 * math.pi * 20 * 2, rel=0.01)


def test_shapes_are_cut_at_the_edge_of_the_image():
    canvas = Canvas(20, 10, WHITE)
    canvas.disc((0, 0), 6, BLACK)
    canvas.stroke([(-50, 5), (50, 5)], 2, BLACK)
    canvas.area([(-9, -9), (-3, -9), (-3, -3)], BLACK)
    canvas.ring((100, 100), 3, 1, BLACK)
    assert canvas.pixels().shape == (10, 20, 3)
    assert canvas.pixels()[9, 19].tolist() == [255, 255, 255]


def test_every_glyph_looks_different():
    characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789°√π+-/=()∠?"
    looks = {character: glyph_coverage(character, 14.0, 1.8, 0.0) for character in characters}
    for one in characters:
        assert looks[one].sum() > 0
        for other in characters:
            if one < other and looks[one].shape == looks[other].shape:
                assert np.abs(looks[one] - looks[other]).sum() > 4, (one, other)


def test_glyphs_stay_within_their_cell():
    for character in "Qgjy√()":
        for line in strokes(character):
            assert all(-0.1 <= x <= 8 and -3 <= y <= 9.1 for x, y in line)
    assert text_width("40", 8.0) == 8 + 7 - 2  # two cells less the space behind


def test_values_are_written_exactly():
    assert str(root(84)) == "2√21" and root(84).latex() == "2\\sqrt{21}"
    assert str(root(Fraction(3, 4))) == "√3/2"
    assert str(Value(Fraction(14), pi=True)) == "14π"
    assert str(Value(Fraction(1, 2), pi=True)) == "π/2"
    assert Value(Fraction(361, 8), pi=True).latex() == "\\frac{361\\pi}{8}"
    assert [str(whole(Fraction(*pair))) for pair in ((9, 2), (7, 3), (12, 5), (-1, 4))] == [
        "4.5",
        "7/3",
        "2.4",
        "-0.25",
    ]
    assert str(Linear(2, -14, "x")) == "2x-14" and Linear(1, 5, "y").spaced() == "y + 5"


def test_equations_are_solved_step_by_step(rng):
    chain = Chain(rng, compact=True)
    solve(chain, Linear(2, -14, "x"), 30)
    assert str(chain) == "2x - 14 = 30. 2x = 30 + 14 = 44. x = 44 / 2 = 22."
    chain = Chain(rng, compact=True)
    solve(chain, Linear(1, 7, "x"), Linear(5, -9, "x"))
    assert str(chain) == (
        "5x - 9 = x + 7. 5x - x - 9 = 7. 4x = 7 + 9 = 16. x = 16 / 4 = 4."
    )  # fmt: skip


def test_options_hold_the_answer_at_its_place(rng):
    for place in range(4):
        options = offer(whole(80), [whole(100), whole(40)], 4, place, True, rng)
        assert options[place] == whole(80)
        assert options == sorted(options, key=float) and len(set(map(str, options))) == 4
    # One is the least: nothing can stand below it.
    options = offer(whole(1), [whole(2)], 4, 3, True, rng)
    assert options[3] == whole(1) and all(float(value) > 0 for value in options)
    assert offer("flip", ["slide", "turn"], 3, 1, True, rng)[1] == "flip"
