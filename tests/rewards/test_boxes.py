import json

import pytest

from reasonrft.errors import BadInput
from reasonrft.rewards import (
    AccuracyReward,
    ClassificationReward,
    DetectionReward,
    FormatReward,
    IoUReward,
)
from tests.conftest import problem


def boxes(*rows):
    return json.dumps(
        [{"bbox_2d": list(box)} | ({"label": label} if label else {}) for label, *box in rows]
    )


CUBE, BALL = ("cube", 0, 0, 10, 10), ("ball", 100, 0, 110, 10)
HALF = ("cube", 0, 0, 10, 5)
"""IoU 1/2 with the cube."""
FAR = ("cube", 300, 0, 310, 10)
ONE, TWO = problem(boxes(CUBE), "grounding"), problem(boxes(CUBE, BALL), "grounding")
NONE, BARE = problem("[]", "grounding"), problem("[0, 0, 10, 10]", "grounding")


def earned(reward, answer, asked):
    return reward.reward(f"<think>so</think><answer>{answer}</answer>", asked)


@pytest.mark.parametrize(
    ("asked", "answer", "share"),
    [
        (ONE, boxes(CUBE), 1.0),
        (ONE, "[0, 0, 10, 10]", 1.0),
        (BARE, boxes(CUBE), 1.0),
        (ONE, boxes(HALF), 50 / 100),
        (ONE, "[5, 5, 15, 15]", 25 / 175),
        (ONE, boxes(FAR), 0.0),
        (ONE, boxes(CUBE, FAR), 1 / 2),  # one is too many
        (TWO, boxes(CUBE), 1 / 2),  # one is missing
        (TWO, boxes(BALL, HALF), (1 + 1 / 2) / 2),
        (ONE, "[]", 0.0),
        (NONE, "[]", 1.0),
        (NONE, boxes(CUBE), 0.0),
        (ONE, "[0, 0, 10]", 0.0),
        (ONE, "at the left", 0.0),
    ],
)
def test_iou_reward(asked, answer, share):
    assert earned(IoUReward(), answer, asked) == pytest.approx(share)
    assert earned(IoUReward(threshold=0.6), answer, asked) == pytest.approx(
        share if share >= 0.6 else 0
    )


@pytest.mark.parametrize(
    ("asked", "answer", "at_half", "coco", "no_surplus"),
    [
        (ONE, boxes(CUBE), 1.0, 1.0, 1.0),
        # An IoU of 1/2 is right at the first of COCO's ten thresholds alone.
        (ONE, boxes(HALF), 1.0, 0.1, 1.0),
        (ONE, boxes(CUBE, FAR), 1 / 2, 1 / 2, 1.0),
        # The wrong box comes first: precision 1/2.
        (ONE, boxes(FAR, CUBE), 1 / 4, 1 / 4, 1 / 2),
        (ONE, boxes(CUBE, CUBE, CUBE), 1 / 3, 1 / 3, 1.0),
        (TWO, boxes(CUBE), 1 / 2, 1 / 2, 1 / 2),  # mean of 1 for cubes and 0 for balls
        (TWO, boxes(BALL, CUBE), 1.0, 1.0, 1.0),
        (TWO, boxes(("ball", *CUBE[1:]), ("cube", *BALL[1:])), 0.0, 0.0, 0.0),
        (TWO, boxes(CUBE, BALL, ("dog", 0, 0, 10, 10)), 2 / 3, 2 / 3, 1.0),
        (ONE, "[0, 0, 10, 10]", 0.0, 0.0, 0.0),  # the label must match
        (BARE, boxes(CUBE), 1.0, 1.0, 1.0),  # unless the gold box has none
        (ONE, boxes(("CUBE.", *CUBE[1:])), 1.0, 1.0, 1.0),
        (NONE, "[]", 1.0, 1.0, 1.0),
        (NONE, boxes(CUBE), 0.0, 0.0, 0.0),
        (ONE, "[]", 0.0, 0.0, 0.0),
        (ONE, "nothing", 0.0, 0.0, 0.0),
    ],
)
def test_detection_reward(asked, answer, at_half, coco, no_surplus):
    assert earned(DetectionReward([0.5]), answer, asked) == pytest.approx(at_half)
    assert earned(DetectionReward(), answer, asked) == pytest.approx(coco)
    assert earned(DetectionReward([0.5], surplus=False), answer, asked) == pytest.approx(no_surplus)


def test_boxes_are_ranked_by_their_confidence():
    sure = [
        {"bbox_2d": FAR[1:], "label": "cube", "confidence": 0.2},
        {"bbox_2d": CUBE[1:], "label": "cube", "confidence": 0.9},
    ]
    assert earned(DetectionReward([0.5]), json.dumps(sure), ONE) == 1 / 2  # and not 1 / 4


@pytest.mark.parametrize(
    ("asked", "answer", "right"),
    [
        (ONE, boxes(("Cube", 50, 50, 60, 60)), 1),
        (ONE, boxes(BALL), 0),
        (ONE, boxes(CUBE, BALL), 0),
        (TWO, boxes(BALL, CUBE), 1),
        (TWO, boxes(CUBE), 0),
        (problem("garden phlox"), "Garden_Phlox.", 1),
        (problem("garden phlox"), "phlox", 0),
        (problem("garden phlox"), "garden phlox or rose", 0),
        (problem("garden phlox"), "", 0),
    ],
)
def test_classification_reward(asked, answer, right):
    assert earned(ClassificationReward(), answer, asked) == right


@pytest.mark.parametrize(
    ("asked", "answer", "right"),
    [
        (ONE, boxes(HALF), 1),  # IoU 0.5, and one label: it is not compared
        (ONE, boxes(("thing", *CUBE[1:])), 1),
        (ONE, "[0, 0, 10, 4]", 0),
        (ONE, boxes(CUBE, FAR), 0),
        (TWO, boxes(BALL, CUBE), 1),
        (TWO, boxes(CUBE), 0),
        (TWO, boxes(("ball", *CUBE[1:]), ("cube", *BALL[1:])), 0),
        (NONE, "[]", 1),
        (NONE, "None", 1),
        (ONE, "None", 0),
    ],
)
def test_accuracy_at_half(asked, answer, right):
    assert earned(AccuracyReward(), answer, asked) == right
    assert earned(AccuracyReward(credit="exact"), answer, asked) == right


HOSTILE = [
    "[NaN, 0, 10, 10]",
    "[0, 0, 1e308, 1e308]",
    "[-1000, -1000, 1000, 1000]",
    "[10, 10, 0, 0]",
    json.dumps([list(CUBE[1:])] * 10_000),
    "[" * 100_000,
    '{"bbox_2d":' * 20_000,
    f"[0, 0, {'9' * 50_000}, 10]",
    boxes(CUBE) + boxes(CUBE),
    f"{boxes(CUBE)}</answer><answer>{boxes(FAR)}",
    f"```json {boxes(CUBE)} ``` or ```json {boxes(FAR)} ```",
]


@pytest.mark.parametrize("answer", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_answers_earn_nothing(answer):
    for reward in (IoUReward(), DetectionReward(), ClassificationReward(), AccuracyReward()):
        assert earned(reward, answer, ONE) == 0


def test_format_is_judged_as_ever():
    assert FormatReward().reward(f"<think>so</think><answer>{boxes(CUBE)}</answer>", ONE) == 1


@pytest.mark.parametrize(
    ("reward", "arguments"),
    [(IoUReward, {"threshold": 1.5}), (DetectionReward, {"thresholds": []})],
)
def test_wrong_options(reward, arguments):
    with pytest.raises(BadInput, match=reward.__name__):
        reward(**arguments)
