"""What holds for every world."""

import hashlib
import multiprocessing

import pytest

from reasonrft.errors import BadInput
from reasonrft.images import open_image
from reasonrft.tasks import find_task
from reasonrft.worlds import make_world

SPLITS = [
    (task, split)
    for task in ("counting", "structure", "transformation")
    for split in make_world(task).splits
]


def digest(place: tuple[str, str, int]) -> str:
    """Everything that a problem says and shows."""
    task, split, index = place
    problem = make_world(task, "tiny").problem(split, index)
    told = "|".join([problem.question, problem.answer, problem.cot, *problem.choices])
    pictures = (image for image in problem.images if isinstance(image, bytes))
    return hashlib.sha256(told.encode() + b"".join(pictures)).hexdigest()[:16]


@pytest.mark.parametrize(("task", "split"), SPLITS)
def test_problems_are_pure_functions_of_split_and_index(task, split):
    places = [(task, split, index) for index in range(4)]
    once = [digest(place) for place in places]
    assert len(set(once)) == len(once)
    assert [digest(place) for place in reversed(places)] == once[::-1]
    assert [make_world(task, "tiny", 1).problem(split, index).question for index in range(4)] != [
        make_world(task, "tiny").problem(split, index).question for index in range(4)
    ]


def test_another_process_draws_the_same():
    places = [(task, split, 5) for task, split in SPLITS]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(digest, places) == [digest(place) for place in places]


PINS = {
    ("counting", "id", 0): "75de9e8e56ee8c7e",
    ("counting", "ood-domain", 0): "fdaee4907b678b11",
    ("structure", "id", 0): "d195c9c7100cfe0f",
    ("structure", "ood", 0): "4c05519689a7e6d2",
    ("transformation", "ood-left", 0): "3e7c433469107969",
}


@pytest.mark.parametrize("place", PINS)
def test_every_machine_draws_the_same(place):
    assert digest(place) == PINS[place]


@pytest.mark.parametrize(("task", "split"), SPLITS)
def test_gold_answers_are_right_and_pictures_open(task, split):
    for preset in (None, "tiny"):
        world = make_world(task, preset)
        problem = world.problem(split, 7)
        solver = find_task(problem.task)
        assert (problem.task, problem.meta["split"]) == (task, split)
        assert solver.fault(problem) is None
        assert solver.accuracy(f"<think>a</think><answer>{problem.answer}</answer>", problem) == 1
        sizes = {open_image(image).size for image in problem.images}
        assert sizes == {(world.width, world.height)}


def test_tests_are_those_that_the_task_names():
    for task in ("counting", "structure", "transformation"):
        assert make_world(task).splits == ("train", "val", "id", *find_task(task).ood_splits)


def test_wrong_knobs_are_one_sentence():
    with pytest.raises(BadInput, match="no knob 'hight': it has width, height"):
        make_world("counting", hight=3)
    with pytest.raises(BadInput, match="does not go with these knobs"):
        make_world("counting", width="wide")
