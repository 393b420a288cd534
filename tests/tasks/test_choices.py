import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonrft.tasks.choices import choices_in, read_choice

DIE = ("1", "2", "3", "6")


@pytest.mark.parametrize(
    ("question", "choices"),
    [
        ("Opposite 4?\nChoices: A. 1 B. 2 C. 3 D. 6", DIE),
        ("Which?\nChoices: (A) slide (B) flip (C) turn", ("slide", "flip", "turn")),
        ("Can we?\nChoices: A. Yes B. No", ("Yes", "No")),
        ("BC?\nChoices: A: 2.4 B: 3.0 C: 3.2 D: 5.0", ("2.4", "3.0", "3.2", "5.0")),
        ("m?\nChoices:\nA. 28\nB. 71", ("28", "71")),
        ("Angle B is 30. Find x.", ()),
        ("Given ∠A = 40° and ∠B = 60°, find ∠C.", ()),
    ],
)
def test_options_are_found(question, choices):
    assert choices_in(question) == choices


@pytest.mark.parametrize(
    "text",
    [
        "C",
        "c",
        "(C)",
        "C.",
        "C. 3",
        "(C) 3",
        "C: 3",
        "3",
        "3.0",
        "Option C",
        "The answer is C.",
        "**C**",
    ],
)
def test_one_choice_is_read(text):
    assert read_choice(text, DIE) == "C"


@pytest.mark.parametrize(
    "text", ["", "E", "C. 6", "A or C", "A, B", "ABCD", "A B C D", "A. 1 B. 2 C. 3 D. 6", "4"]
)
def test_anything_else_is_no_choice(text):
    assert read_choice(text, DIE) is None


def test_without_known_options_a_letter_may_carry_text():
    assert read_choice("B. 3.0") == "B"
    assert read_choice("A. 1 B. 2") is None


def test_options_of_real_geometry_are_found(real):
    for row in json.loads((real / "geometry3k" / "records.json").read_text()):
        assert list(choices_in(row["problem"])) == row["choices"]


@given(st.text(max_size=600), st.lists(st.text(max_size=20), max_size=9))
def test_no_text_raises(text, choices):
    choices_in(text)
    assert read_choice(text, tuple(choices)) in {None, *"ABCDEFGH"}
