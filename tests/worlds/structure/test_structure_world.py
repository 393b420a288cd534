import hashlib
from collections import Counter

import pytest

from reasonrft.errors import BadInput
from reasonrft.tasks import find_task
from reasonrft.tasks.choices import choices_in
from reasonrft.worlds.structure import StructureWorld
from reasonrft.worlds.structure.topologies import DRAWN_TOPOLOGIES, TOPOLOGIES
from tests.worlds.pixels import pixels_of

SPLITS = StructureWorld.splits
TINY = StructureWorld.presets["tiny"]


def digest(world: StructureWorld, split: str) -> str:
    """Hash of the pixels of a split's first ten images."""
    images = [pixels_of(world.problem(split, index).images[0]) for index in range(10)]
    return hashlib.sha256(b"".join(image.tobytes() for image in images)).hexdigest()[:16]


@pytest.mark.parametrize("split", SPLITS)
def test_the_same_triple_gives_the_same_problem(split):
    first, second = StructureWorld(3), StructureWorld(3)
    backwards = {index: second.problem(split, index) for index in reversed(range(25))}
    assert [first.problem(split, index) for index in range(25)] == [backwards[i] for i in range(25)]
    assert StructureWorld(4).problem(split, 0) != first.problem(split, 0)


def test_pixels_are_the_same_on_every_machine():
    world = StructureWorld(0)
    assert [digest(world, split) for split in SPLITS] == PINNED
    assert [digest(StructureWorld(0, **TINY), split) for split in SPLITS] == PINNED_TINY


PINNED = ["3f2449e5d7d40ed2", "23e162e51227bac2", "28b2259e9e331fa2", "721b49e035161204"]
PINNED_TINY = ["a42de098b8d78770", "2270ae57b32157c8", "23c3ff34d3ecc1c5", "fcd8d7f1dbf0796f"]


@pytest.mark.parametrize("size", [(96, 72), (96, 96), (120, 80), (333, 222), (480, 320)])
def test_every_topology_is_drawn_at_any_size(size):
    world = StructureWorld(1, *size, small=size[0] < 200)
    for split, names in (("train", TOPOLOGIES), ("ood", DRAWN_TOPOLOGIES)):
        for index in range(len(names)):
            problem = world.problem(split, index)
            assert pixels_of(problem.images[0]).shape == (size[1], size[0], 3)


def test_there_are_enough_topologies_and_none_is_in_both_worlds():
    assert len(TOPOLOGIES) >= 10 and len(DRAWN_TOPOLOGIES) >= 5
    assert not TOPOLOGIES.keys() & DRAWN_TOPOLOGIES.keys()


@pytest.mark.parametrize("split", SPLITS)
def test_families_forms_and_letters_are_balanced(split):
    world = StructureWorld(0)
    names = DRAWN_TOPOLOGIES if split == "ood" else TOPOLOGIES
    problems = [world.compose(split, index)[0] for index in range(8 * len(names))]
    plans = [world.plan(split, index) for index in range(8 * len(names))]
    assert set(Counter(plan.topology for plan in plans).values()) == {8}
    letters = Counter(form.answer for form in problems if len(form.choices) == 4)
    # Half of 8 problems of each topology list four choices: each letter is right once.
    assert letters == dict.fromkeys("ABCD", len(names) - (split != "ood"))
    numbers = [form.answer for form in problems if not form.choices]
    assert Counter(numbers).most_common(1)[0][1] <= 0.2 * len(numbers)


def test_kinds_of_motion_are_balanced():
    world = StructureWorld(0, topologies=("motion",))
    forms = [world.compose("train", index)[0] for index in range(30)]
    assert Counter(form.answer for form in forms) == dict.fromkeys("ABC", 10)
    assert Counter(form.puzzle.answer for form in forms) == dict.fromkeys(
        ("slide", "flip", "turn"), 10
    )


@pytest.mark.parametrize("split", SPLITS)
def test_the_task_reads_every_problem(split):
    task = find_task("structure")
    world = StructureWorld(5)
    for index in range(80):
        problem = world.problem(split, index)
        assert problem.id == f"structure-{split}-{index:06d}"
        assert task.fault(problem) is None
        assert task.accuracy(f"<think>so</think><answer>{problem.answer}</answer>", problem) == 1
        assert choices_in(problem.question) == problem.choices
        assert len(set(problem.choices)) == len(problem.choices)
        for letter, option in zip("ABCD", problem.choices, strict=False):
            right = letter == problem.answer
            assert task.agrees(letter, problem) == task.agrees(option, problem) == right


def test_the_style_of_chains_changes_nothing_else():
    words, compact = StructureWorld(2), StructureWorld(2, style="compact")
    for index in range(40):
        long, short = words.problem("train", index), compact.problem("train", index)
        assert (long.images, long.question, long.answer) == (
            short.images,
            short.question,
            short.answer,
        )
        assert len(short.cot) < len(long.cot)


def marks(world: StructureWorld, split: str) -> set[str]:
    """All that is said of the scenes and asked, whatever the colours are."""
    problems = [world.problem(split, index) for index in range(200)]
    return {
        repr((problem.question.partition("\nChoices:")[0], {**problem.meta, "split": ""}))
        for problem in problems
    }


def test_no_scene_with_its_question_is_in_two_splits():
    world = StructureWorld(0, **{**TINY, "topologies": ("count_squares", "motion", "isosceles")})
    train, val, test = (marks(world, split) for split in ("train", "val", "id"))
    assert not train & val and not train & test and not val & test


def test_out_of_domain_questions_are_short_and_their_facts_are_labels():
    world = StructureWorld(0)
    for index in range(60):
        problem = world.problem("ood", index)
        question = problem.question.partition("\nChoices:")[0]
        assert len(question) <= 60
        assert all(fact["in"] == "drawing" for fact in problem.meta["facts"])
        assert not any(character.isdigit() for character in question)


def test_the_share_of_choices_is_kept():
    world = StructureWorld(0, topologies=("isosceles", "box"), choice_share=0.25)
    assert sum(bool(world.compose("train", i)[0].choices) for i in range(40)) == 10


def test_bad_world_args_are_refused():
    with pytest.raises(BadInput, match="no structure topology 'cube'"):
        StructureWorld(topologies=("cube",))
    with pytest.raises(BadInput, match="no structure topology given"):
        StructureWorld(ood_topologies=())
    with pytest.raises(BadInput, match="labels need 96x72"):
        StructureWorld(width=64)
