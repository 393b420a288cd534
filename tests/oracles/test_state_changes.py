import json

import pytest

from reasonrft.oracles.state_changes import (
    Item,
    Transformation,
    TransformationError,
    admissible,
    apply,
    differences,
    run,
)
from reasonrft.oracles.state_records import answer_of, options_of, read_sample


def item(x: int, y: int, size: str = "small", color: str = "red") -> Item:
    return Item(color, "rubber", "cube", size, (x, y))


def move(number: int, way: str, steps: int = 1) -> Transformation:
    return Transformation(number, "position", way, steps)


def test_directions():
    [after] = apply((item(0, 0),), move(0, "front_right", 2))
    assert after.position == (-20, 20)  # front is away from the viewer, along -x
    [after] = apply((item(0, 0),), move(0, "behind_left"))
    assert after.position == (10, -10)


@pytest.mark.parametrize(
    ("state", "change", "reason"),
    [
        ((item(30, 0),), move(0, "behind"), "off stage before and after"),
        ((item(35, 0), item(0, 0)), Transformation(0, "color", "blue"), "off stage before"),
        ((item(0, 0), item(10, 0)), move(0, "behind"), "objects 0 and 1 overlap"),
        # 0.15 * 11 < 0.9 + 0.6 + 0.15 after growing, but not 0.3 + 0.6 + 0.15 before
        ((item(0, 0), item(10, 0, "medium")), Transformation(0, "size", "large"), "overlap"),
        ((item(0, 0),), Transformation(0, "color", "red"), "is red already"),
        ((item(0, 0),), Transformation(1, "color", "red"), "there is no object 1"),
        ((item(15, 35),), move(0, "right"), "off stage before and after"),
    ],
)
def test_what_the_world_does_not_admit(state, change, reason):
    with pytest.raises(TransformationError, match=reason):
        apply(state, change)


def test_distances_that_just_suffice():
    # 0.3 + 0.3 + 0.15 = 0.75 = 0.15 * 5
    assert apply((item(0, 0), item(15, 0)), move(0, "behind"))[0].position == (10, 0)


def test_places_off_stage_are_all_alike():
    assert differences((item(30, 0),), (item(0, 30),)) == []
    assert differences((item(0, 10),), (item(0, 30),)) == [(0, "position")]
    assert differences((item(0, 0),), (item(0, 0, color="blue"),)) == [(0, "color")]


def test_moves_that_no_image_tells_apart():
    out = admissible((item(15, 0),), move(0, "behind"))
    # one step behind leaves x = 25, two leave 35; left and right need more than ±20 in y
    assert {(one.value, one.steps) for one in out} == {
        (way, steps) for way in ("behind", "behind_left", "behind_right") for steps in (1, 2)
    }
    inner = move(0, "left")
    assert admissible((item(0, 0),), inner) == [inner]
    coming = admissible((item(25, 0),), move(0, "front"))  # to (15, 0), where x was 25 or 35
    assert {one.value for one in coming} == {"front", "front_left", "front_right"}
    change = Transformation(0, "color", "blue")
    assert admissible((item(0, 0),), change) == [change]


def test_real_samples(real):
    for row in json.loads((real / "trance" / "states.json").read_text()):
        sample = read_sample(row)
        state = sample.initial
        for told, change in zip(row["transformations"], sample.transformations, strict=True):
            found = {(one.value, one.steps) for one in admissible(state, change)}
            if told["attr"] == "position":
                options = {(way.replace("-", "_"), steps) for way, steps in told["options"]}
                assert found == options if told["type"] != "in" else found > options
            state = apply(state, change)
        assert state == run(sample.initial, sample.transformations) == sample.final


def test_answers_and_options_of_a_sample(real):
    records = {
        tuple(record["image"]): record
        for record in json.loads((real / "trance" / "records.json").read_text())
    }
    for row in json.loads((real / "trance" / "states.json").read_text()):
        sample = read_sample(row)
        views = (
            row["states"][0]["images"]["Camera_Center"],
            row["states"][1]["images"]["Camera_Left"],
        )
        record = records[tuple(f"images/{view}" for view in views)]
        assert answer_of(sample.transformations) == record["answer"]
        found = {step: {*values} for step, values in options_of(sample)}
        for step, values in record["position_options"]:
            assert {*values} <= found.get(step, {*values[:1]})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, "two states"),
        ({"states": [{}, {}], "transformations": []}, "a transformation at least"),
        ({"states": [{}, {}], "transformations": [{}]}, "list of objects"),
        ({"states": [{"objects": [3]}] * 2, "transformations": [{}]}, "object 0"),
        ({"states": [{"objects": []}] * 2, "transformations": [{}]}, "obj_idx"),
    ],
)
def test_rows_that_are_no_samples(row, reason):
    with pytest.raises(ValueError, match=reason):
        read_sample(row)
