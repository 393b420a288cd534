import io
import json
from dataclasses import replace

import pytest
from PIL import Image

from reasonrft.errors import BadInput
from reasonrft.tasks import GroundingTask, find_task
from tests.conftest import problem

CUBE = '[{"bbox_2d": [20, 10, 60, 50], "label": "cube"}]'


def picture(width=200, height=100):
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "PNG")
    return file.getvalue()


def asked(answer=CUBE, images=None, **more):
    return replace(problem(answer, "grounding", **more), images=images or (picture(),))


def halved(size):
    return size[0] // 2, size[1] // 4


def test_pixels_are_those_of_the_image_as_the_model_sees_it():
    seen = GroundingTask().prepared(asked(), halved)
    assert json.loads(seen.answer) == [{"bbox_2d": [10, 2, 30, 12], "label": "cube"}]
    assert seen.meta["frame"] == [100, 25]
    assert GroundingTask().fault(seen) is None


def test_thousandths_ask_nobody_for_a_size():
    seen = GroundingTask(coordinates="thousandths").prepared(asked(), None)
    assert json.loads(seen.answer)[0]["bbox_2d"] == [100, 100, 300, 500]
    assert seen.meta["frame"] == [1000, 1000]


def test_gold_boxes_in_thousandths_become_pixels():
    gold = asked('[{"bbox_2d": [100, 100, 300, 500]}]', meta={"frame": [1000, 1000]})
    assert json.loads(GroundingTask().prepared(gold, halved).answer) == [
        {"bbox_2d": [10, 2, 30, 12]}
    ]
    same = GroundingTask().prepared(gold, lambda size: size)
    assert json.loads(same.answer)[0]["bbox_2d"] == [20, 10, 60, 50]


def test_fractions_are_rounded_as_the_model_writes():
    gold = asked("[103.93, 9.49, 160.2, 50.5]")
    assert json.loads(GroundingTask().prepared(gold, lambda size: size).answer) == [
        {"bbox_2d": [104, 9, 160, 50]}
    ]


def test_the_prompt_names_the_units_and_holds_the_question_as_it_is():
    question = asked(question="Where is the {units} cube?")
    pixels, thousandths = GroundingTask(), GroundingTask(coordinates="thousandths")
    assert "{units} cube?" in pixels.prompt(question)
    assert "in pixels" in pixels.prompt(question) and "bbox_2d" in pixels.prompt(question)
    assert "0 to 1000" in thousandths.prompt(question)
    assert "<think>" not in pixels.prompt(question, reasoning=False)
    assert GroundingTask("{question} Boxes {units}.").prompt(question).endswith("Boxes in pixels.")


@pytest.mark.parametrize(
    ("answer", "meta", "fault"),
    [
        (CUBE, {}, None),
        ("[]", {}, None),
        ("[0, 0, 201.5, 100]", {}, None),  # as data sets do
        ("[60, 10, 20, 50]", {}, "left before its right"),
        ("[20, 10, 300, 50]", {}, r"outside of 200 x 100; .*\"frame\": \[1000, 1000\]"),
        ("[20, 10, 300, 50]", {"frame": [1000, 1000]}, None),
        ("[20, 10, 60, 50]", {"frame": "big"}, "frame must be"),
        ("left", {}, "no JSON list"),
    ],
)
def test_faults(answer, meta, fault):
    told = GroundingTask().fault(asked(answer, meta=meta))
    if fault is None:
        assert told is None
    else:
        with pytest.raises(AssertionError, match=fault):
            raise AssertionError(told)


def test_boxes_are_in_one_image():
    task = find_task("grounding")
    assert "it has 2" in task.fault(asked(images=(picture(), picture())))
    missing = asked(images=(b"nothing",))
    assert task.fault(missing) is None  # which is said of the image
    with pytest.raises(BadInput, match="not an image"):
        task.prepared(missing, halved)


@pytest.mark.parametrize(
    ("completion", "share"),
    [
        (f"<answer>{CUBE}</answer>", 1.0),
        (f"Here it is:\n```json\n{CUBE}\n```\nas you see", 1.0),
        ("<answer>The box is [20, 10, 60, 30].</answer>", 0.5),
        ("<answer>[20, 10, 60, 30]</answer>", 0.5),
        ("<answer>left</answer>", 0.0),
        ("", 0.0),
    ],
)
def test_the_official_measure_is_the_mean_iou(completion, share):
    assert find_task("grounding").official_accuracy(completion, asked()) == share


def test_words_around_boxes_are_no_clean_answer():
    task = find_task("grounding")
    assert task.accuracy(f"<think>x</think><answer>{CUBE}</answer>", asked()) == 1
    assert task.accuracy(f"```json\n{CUBE}\n```", asked()) == 1
    assert task.accuracy(f"<answer>It is {CUBE}</answer>", asked()) == 0
    assert task.accuracy(f"<answer>{CUBE}</answer> or [0, 0, 1, 1]", asked()) == 0
