import json
from collections import Counter

import numpy as np
import pytest

from reasonrft.errors import BadInput
from reasonrft.tasks import find_task
from reasonrft.tasks.tags import write_response
from reasonrft.worlds import make_world
from reasonrft.worlds.counting.counting_scenes import render_scene
from reasonrft.worlds.counting.words import SIDES, described, fits, grid_place
from reasonrft.worlds.grounding.grounding_chains import write_chain
from tests.worlds.pixels import pixels_of


@pytest.fixture(scope="module")
def world():
    return make_world("grounding", "tiny")


@pytest.mark.parametrize("split", make_world("grounding").splits)
def test_boxes_hold_the_pixels_of_what_is_meant_and_no_more(world, split):
    for index in range(4):
        problem, drawn = world.problem(split, index), world.draw(split, index)
        domain = world.domain(split)
        owners = render_scene(drawn.scene, domain, world.width, world.height).owners
        boxes = json.loads(problem.answer)
        assert len(boxes) == len(drawn.meant) == problem.meta["boxes"]
        for box, owner in zip(boxes, drawn.meant, strict=True):
            x1, y1, x2, y2 = box["bbox_2d"]
            rows, columns = np.nonzero(owners == owner)
            edges = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            apart = np.abs(np.subtract((x1, y1, x2, y2), edges))
            assert all(x % 5 == 0 for x in box["bbox_2d"]) and apart.max() <= 5
            assert box["label"] == described(drawn.scene["objects"][owner])["shape"]
        response = write_response(problem.cot, problem.answer)
        assert find_task("grounding").accuracy(response, problem) == 1


def test_without_steps_boxes_are_exact():
    world = make_world("grounding", "tiny", step=1, families=["one"])
    problem, drawn = world.problem("id", 0), world.draw("id", 0)
    (box,) = json.loads(problem.answer)
    x1, y1, x2, y2 = box["bbox_2d"]
    owners = render_scene(drawn.scene, world.domain("id"), 144, 96).owners == drawn.meant[0]
    assert owners[y1:y2, x1:x2].sum() == owners.sum()
    assert owners[y1, x1:x2].any() and owners[y1:y2, x1].any()
    assert owners[y2 - 1, x1:x2].any() and owners[y1:y2, x2 - 1].any()


def test_what_is_meant_is_beyond_doubt(world):
    kinds = Counter()
    for index in range(10):
        drawn = world.draw("ood-reference", index)
        reference, items = drawn.reference, drawn.scene["objects"]
        of_kind = [i for i, item in enumerate(items) if fits(described(item), reference.kind)]
        assert len(of_kind) == len(drawn.meant) == 1
        kinds[len(reference.kind), reference.side] += 1
        if not reference.side:
            # Neither attribute is enough.
            assert drawn.meant == of_kind
            for key, value in reference.kind.items():
                assert sum(fits(described(item), {key: value}) for item in items) > 1
            continue
        axis, way = SIDES[reference.side]
        (anchor,) = of_kind
        places = [way * item["pixel_coords"][axis] for item in items]
        assert [i for i, at in enumerate(places) if at > places[anchor]] == list(drawn.meant)
        assert reference.side in reference.draft.question.text
    assert kinds[2, ""] == 5


def test_training_never_asks_what_the_reference_test_asks(world):
    for split in ("train", "val", "id", "ood-domain"):
        for index in range(4):
            reference = world.draw(split, index).reference
            assert not reference.side and len(reference.kind) == 1
    shapes = {described(item)["shape"] for item in world.draw("ood-domain", 1).scene["objects"]}
    assert not shapes & {"cube", "sphere", "cylinder"}


def test_all_may_be_none_to_three(world):
    counts = [world.plan("train", index)[1] for index in range(1, 16, 2)]
    assert sorted(counts) == [0, 0, 1, 1, 2, 2, 3, 3]
    empty = next(n for n in range(1, 16, 2) if world.plan("train", n)[1] == 0)
    problem = world.problem("train", empty)
    assert problem.answer == "[]" and problem.cot.endswith("meant none.")
    assert find_task("grounding").accuracy("<answer>[]</answer>", problem) == 1


def test_chains(world):
    drawn = world.draw("train", 0)
    items = drawn.scene["objects"]
    problem = world.problem("train", 0)
    meant = items[drawn.meant[0]]
    assert problem.cot.count(" yes.") == 1 and problem.cot.count(" no.") == len(items) - 1
    place = grid_place(meant["pixel_coords"], 144, 96)
    assert problem.cot.endswith(f" meant {place}.")
    words = write_chain("red cubes", drawn.scene, drawn.meant, "words")
    assert words.startswith("I look for red cubes, from left to right. ")
    assert words.count(": yes.") == 1


def test_light_changes_pixels_and_nothing_else(world):
    noisy = make_world("grounding", "tiny", light=[{"class_path": "SensorNoise"}])
    plain, other = world.problem("id", 3), noisy.problem("id", 3)
    assert (plain.question, plain.answer, plain.cot) == (other.question, other.answer, other.cot)
    assert (pixels_of(plain.images[0]) != pixels_of(other.images[0])).any()


@pytest.mark.parametrize(
    "arguments", [{"families": ["two"]}, {"objects": [1, 2]}, {"step": 0}, {"held_out": []}]
)
def test_wrong_arguments(arguments):
    with pytest.raises(BadInput, match="grounding world"):
        make_world("grounding", **arguments)
