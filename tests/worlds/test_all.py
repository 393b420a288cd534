"""What holds for every world."""

import hashlib
import multiprocessing

import pytest

from reasonrft.errors import BadInput
from reasonrft.images import open_image
from reasonrft.tasks import find_task
from reasonrft.worlds import make_world
from tests.worlds.pixels import pixels_of

SPLITS = [
    (task, split)
    for task in ("counting", "structure", "transformation", "grounding")
    for split in make_world(task).splits
]


def digest(key: tuple[str, str, int]) -> str:
    """Hash of a problem's texts and pixels."""
    task, split, index = key
    problem = make_world(task, "tiny").problem(split, index)
    text = "|".join([problem.question, problem.answer, problem.cot, *problem.choices])
    pixels = [pixels_of(image).tobytes() for image in problem.images]
    return hashlib.sha256(text.encode() + b"".join(pixels)).hexdigest()[:16]


@pytest.mark.parametrize(("task", "split"), SPLITS)
def test_problems_are_pure_functions_of_split_and_index(task, split):
    keys = [(task, split, index) for index in range(4)]
    digests = [digest(key) for key in keys]
    assert len(set(digests)) == len(digests)
    assert [digest(key) for key in reversed(keys)] == digests[::-1]
    assert [make_world(task, "tiny", 1).problem(split, index).question for index in range(4)] != [
        make_world(task, "tiny").problem(split, index).question for index in range(4)
    ]


def test_another_process_draws_the_same():
    keys = [(task, split, 5) for task, split in SPLITS]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(digest, keys) == [digest(key) for key in keys]


PINS = {
    ("counting", "train", 0): "a33dfdaf90c1e42b",
    ("counting", "val", 0): "c98d23f4342dd245",
    ("counting", "id", 0): "8ce18de8fa8fe280",
    ("counting", "ood-domain", 0): "17b4f599f5385fce",
    ("counting", "ood-operation", 0): "92d14847244aaa12",
    ("structure", "train", 0): "b0eb5a13d9a803d2",
    ("structure", "val", 0): "f068f1cbe04a41d3",
    ("structure", "id", 0): "b1a0b4752179dab0",
    ("structure", "ood", 0): "fa693f31c4f20dae",
    ("transformation", "train", 0): "3802fe92040633dd",
    ("transformation", "val", 0): "ca6949f9e8c32713",
    ("transformation", "id", 0): "720b39adda21bc7c",
    ("transformation", "ood-left", 0): "06c6309a70df6bc8",
    ("transformation", "ood-right", 0): "f3d6d39790018cf0",
    ("grounding", "train", 0): "bd54a56ebe21e3d1",
    ("grounding", "val", 0): "728f79102ed10219",
    ("grounding", "id", 1): "82b7968a01325048",
    ("grounding", "ood-domain", 0): "039f6cce0113bdd4",
    ("grounding", "ood-reference", 1): "53161273661404c3",
    # Their training images are compressed as JPEG, whose pixels depend on the version of libjpeg.
    ("perception-counting", "blocks", 0): "b7f4d646ce659e8e",
    ("perception-counting", "vehicles", 0): "ead251ad097936aa",
    ("perception-structure", "coloured", 0): "94fde05ae5a5d6fe",
    ("perception-structure", "drawn", 0): "38691a76a09787ab",
    ("perception-transformation", "center", 0): "a842baf4e6650232",
    ("perception-transformation", "left", 0): "1400c74f3d56c0ae",
    ("perception-transformation", "right", 0): "6f06e9fab60e967a",
}


@pytest.mark.parametrize("key", PINS)
def test_every_machine_draws_the_same(key):
    assert digest(key) == PINS[key]


@pytest.mark.parametrize(("task", "split"), SPLITS)
def test_gold_answers_are_right_and_images_open(task, split):
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
    for task in ("counting", "structure", "transformation", "grounding"):
        assert make_world(task).splits == ("train", "val", "id", *find_task(task).ood_splits)


def test_wrong_world_args_are_one_sentence():
    with pytest.raises(BadInput, match="no argument 'hight': it has width, height"):
        make_world("counting", hight=3)
    with pytest.raises(BadInput, match="does not accept these arguments"):
        make_world("counting", width="wide")
