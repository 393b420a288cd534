"""Levels of difficulty: from few plain things to the preset."""

import pytest

from reasonrft.errors import BadInput
from reasonrft.worlds import make_world

TASKS = ("counting", "structure", "transformation", "grounding")


@pytest.mark.parametrize("task", TASKS)
def test_last_level_is_the_preset(task: str) -> None:
    levels = type(make_world(task)).levels
    last = make_world(task, "tiny", level=len(levels))
    assert last.problem("train", 0) == make_world(task, "tiny").problem("train", 0)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("level", (1, 2, 3))
def test_every_split_of_a_level_has_problems(task: str, level: int) -> None:
    world = make_world(task, "tiny", level=level)
    for split in world.splits:
        assert world.problem(split, 0).images


def test_reasoning_grows_with_the_level() -> None:
    def objects(level: int) -> float:
        world = make_world("counting", "tiny", level=level)
        scenes = [world.draw("train", index).scene["objects"] for index in range(30)]
        return sum(map(len, scenes)) / len(scenes)

    def calls(level: int) -> int:
        world = make_world("transformation", "tiny", level=level)
        return sum(world.problem("train", index).answer.count("(") for index in range(12))

    counted = [objects(level) for level in (1, 2, 3, 4)]
    assert counted == sorted(counted)
    assert 12 == calls(1) < calls(2)


def test_perception_shows_the_scenes_of_the_level() -> None:
    world = make_world("perception-counting", "tiny", level=1, whole=1.0)
    for index in range(8):
        caption = world.problem("blocks", index).cot
        assert "small" not in caption
        assert caption.count(".") <= 4  # three objects, and perhaps what is looked for


def test_a_setting_goes_over_the_level() -> None:
    world = make_world("counting", "tiny", level=1, objects=[3, 3])
    assert len(world.draw("train", 0).scene["objects"]) == 3


@pytest.mark.parametrize("level", (0, 5))
def test_unknown_level_is_refused(level: int) -> None:
    with pytest.raises(BadInput, match=f"the counting world has no level {level}: it has 1 to 4"):
        make_world("counting", "tiny", level=level)


def test_transformation_needs_two_sizes() -> None:
    with pytest.raises(BadInput, match="sizes must be two at least of small, medium, large"):
        make_world("transformation", "tiny", sizes=["large"])


def test_questions_in_words_hold_what_they_need() -> None:
    sums = make_world("perception-structure", "tiny", level=1, words=1.0, whole=0.0)
    for index in range(20):
        problem = sums.problem("train", index)
        asked = problem.question.removeprefix("What is ").removesuffix("?")
        assert eval(asked) == int(problem.answer)
        assert problem.cot.endswith(f" = {problem.answer}.")
    changes = make_world("perception-transformation", "tiny", level=1, words=1.0, whole=0.0)
    for index in range(20):
        problem = changes.problem("train", index)
        before, after = problem.cot.split("\n")[0].split(" ; ")
        differ = [a for a, b in zip(after.split(), before.split(), strict=True) if a != b]
        assert sorted(differ) == sorted(
            call.split(", ")[1].rstrip(")") for call in problem.answer.split("change")[1:]
        ) or (differ == [] and problem.answer == "none")
