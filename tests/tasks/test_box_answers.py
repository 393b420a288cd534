import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonrft.tasks.box_answers import (
    MAX_BOXES,
    Box,
    BoxFault,
    parse_boxes,
    read_boxes,
    write_boxes,
)

CUBE = Box((1, 2, 30, 40), "red cube")
BARE = Box((1, 2, 30, 40))


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        ('[{"bbox_2d": [1, 2, 30, 40], "label": "red cube"}]', (CUBE,)),
        ('{"bbox_2d": [1, 2, 30, 40], "label": "red  cube"}', (CUBE,)),
        ('```json\n[{"bbox_2d": [1, 2, 30, 40], "label": "red cube"}]\n```', (CUBE,)),
        ('```\n{"bbox_2d": [1, 2, 30, 40]}```', (BARE,)),
        ("[1, 2, 30, 40]", (BARE,)),
        ("[[1, 2, 30, 40], [1, 2, 30, 40]]", (BARE, BARE)),
        (
            "[{'Position': [1, 2, 30, 40], 'Confidence': 0.5}]",
            (Box((1, 2, 30, 40), confidence=0.5),),
        ),
        ("[]", ()),
        ("None", ()),
        ("No Objects", ()),
        ("[1.5, 2, 30, 40.25]", (Box((1.5, 2, 30, 40.25)),)),
    ],
)
def test_ways_to_write_boxes(text, boxes):
    assert parse_boxes(text) == boxes
    assert parse_boxes(write_boxes(boxes)) == tuple(Box(box.corners, box.label) for box in boxes)


MANY = [[0, 0, 1 + n % 9, 5] for n in range(10_000)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no JSON list"),
        ("the cube", "is no JSON list"),
        ("3", "is no list of boxes like"),
        ('"[1, 2, 3, 4]"', "is no list of boxes like"),
        ('[{"bbox_2d": [1, 2, 30, 40], "label": "a}]', "is no JSON list"),
        ("[30, 2, 1, 40]", "left before its right"),
        ("[1, 40, 30, 2]", "left before its right"),
        ("[1, 2, 1, 40]", "left before its right"),
        ("[1, 2, 30]", r"box 1, \[1, 2, 30\], must be four numbers"),
        ("[1, 2, 30, 40, 50]", "must be four numbers"),
        ("[[1, 2, 30, 40], [1, 2, 30]]", "box 2"),
        ('[{"bbox_2d": [1, 2, "30", 40]}]', "must be four numbers"),
        ("[true, 2, 30, 40]", "must be four numbers"),
        ('[{"bbox_2d": null}]', "must be four numbers"),
        ('[{"box": [1, 2, 30, 40]}]', "box 1 has no bbox_2d, only box"),
        ('[{"bbox_2d": [1, 2, 30, 40], "label": 3}]', "label of box 1 must be text"),
        ('[{"bbox_2d": [1, 2, 30, 40], "confidence": 7}]', "confidence of box 1"),
        ("[NaN, 2, 30, 40]", "NaN"),
        ("[1, 2, Infinity, 40]", "Infinity"),
        ("[1, 2, 1e999, 40]", "must hold numbers from 0"),
        ("[-1, 2, 30, 40]", "must hold numbers from 0"),
        ("[0, 0, 1000000000, 1000000000]", "must hold numbers from 0"),
        (f"[1, 2, {'9' * 5000}, 40]", "is no JSON list"),
        ("[" * 20_000, "nested too deeply|is no JSON list"),
        ('{"a":' * 5_000, "nested too deeply|is no JSON list"),
        ("[" * 200 + "]" * 200, "must be four numbers"),
        (json.dumps(MANY), "characters"),
        (json.dumps(MANY[: MAX_BOXES + 1]), "301 boxes"),
    ],
)
def test_what_is_no_box_says_why_and_is_read_as_none(text, why):
    with pytest.raises(BoxFault, match=why):
        parse_boxes(text)
    assert read_boxes(text) is None


@settings(max_examples=40)
@given(st.text() | st.text(alphabet="[]{}\"':,.0123456789eNan-bbox_2dPosition `\n"))
def test_any_text_is_boxes_or_none(text):
    boxes = read_boxes(text)
    assert boxes is None or all(box.corners[0] < box.corners[2] for box in boxes)


def test_scaled_boxes_are_whole_and_not_empty():
    assert Box((10, 20, 30, 40), "a", 0.5).scaled(0.5, 2) == Box((5, 40, 15, 80), "a", 0.5)
    assert Box((1.2, 1.2, 1.4, 1.4)).scaled(1, 1).corners == (1, 1, 2, 2)
