import re
from functools import cache

import pytest

from reasonrft.images import open_image
from reasonrft.problems import Problem
from reasonrft.tasks import find_task
from reasonrft.tasks.tags import write_response
from reasonrft.worlds import make_world
from reasonrft.worlds.counting.words import grid_place
from reasonrft.worlds.perception.counting_perception import caption_of

TASKS = ("counting", "structure", "transformation")
THINGS = r"(large|medium|small) (\w+) (rubber|metal|glass) (\w+)"


def drawn(task: str, split: str, count: int = 30, **world_args) -> list[Problem]:
    world = make_world(f"perception-{task}", "tiny", **world_args)
    return [world.problem(split, index) for index in range(count)]


@cache
def trained_on(task: str) -> list[Problem]:
    """Many problems of training, for all tests that look at some."""
    return drawn(task, "train", 60 if task == "structure" else 150)


@pytest.mark.parametrize("task", TASKS)
def test_what_is_seen_is_said_as_the_task_wants_it(task):
    size = {"transformation": (128, 96)}.get(task, (144, 96))
    world = make_world(f"perception-{task}", "tiny")
    for split in world.splits:
        for problem in drawn(task, split, 12):
            solver = find_task(problem.task)
            response = write_response(problem.cot, problem.answer)
            assert problem.task in ("general", task)
            assert solver.fault(problem) is None
            assert solver.accuracy(response, problem) == 1
            assert {open_image(image).size for image in problem.images} == {size}
            assert len(problem.images) == (2 if task == "transformation" else 1)


@pytest.mark.parametrize("task", TASKS)
def test_problems_are_pure_functions_of_split_and_index(task):
    first, again = drawn(task, "train", 6), drawn(task, "train", 6)
    assert first == again and len({problem.images for problem in first}) == 6
    assert drawn(task, "train", 2, seed=1) != first[:2] != drawn(task, "val", 2)


@pytest.mark.parametrize("task", TASKS)
def test_training_shows_every_look_and_tests_show_one(task):
    world = make_world(f"perception-{task}", "tiny")
    for split in ("train", "val"):
        looks = [problem.meta["look"] for problem in drawn(task, split, 6)]
        assert set(looks) == set(world.looks)
    for look in world.looks:
        assert {problem.meta["look"] for problem in drawn(task, look, 3)} == {look}


@pytest.mark.parametrize("task", TASKS)
def test_training_may_show_some_looks_only(task):
    *_, last = make_world(f"perception-{task}", "tiny").looks
    assert {problem.meta["look"] for problem in drawn(task, "train", 4, mixed=[last])} == {last}
    with pytest.raises(ValueError, match=f"mixed must be looks of perception-{task}: "):
        drawn(task, "train", 1, mixed=["behind"])


def test_questions_of_the_tasks_are_never_asked():
    words = re.compile(r"Subtract|Add |are left|How many (?!parts|levels)|in all|together|measure")
    for task in TASKS:
        for problem in trained_on(task)[:60]:
            if problem.meta["template"] != "sum":
                assert not words.search(problem.question)
            assert not re.search(r"yes \d|total|off |stay|same", problem.cot)


def test_sums_give_their_numbers_and_ask_nothing_of_the_image():
    asked = r"(\d+) .+ exist\. (Add|Subtract) (\d+) .+\. How many .+ exist\?"
    signs = {"Add": "+", "Subtract": "-"}
    sums = [one for one in trained_on("counting") if one.meta["template"] == "sum"]
    assert {verb for verb in signs for problem in sums if verb in problem.question} == set(signs)
    for problem in sums:
        one, verb, two = re.fullmatch(asked, problem.question).groups()
        assert problem.cot.endswith(f"{one} {signs[verb]} {two} = {problem.answer}.")
        assert int(problem.answer) == int(one) + int(two) * (1 if verb == "Add" else -1)
        assert 0 <= int(problem.answer) <= 10


def test_long_sums_go_from_left_to_right_and_stay_small():
    for problem in drawn("structure", "train", 40, words=1.0, whole=0.0, terms=(3, 6)):
        first, *rest = re.findall(r"[+-] \d+|\d+", problem.question)
        steps, value = [], int(first)
        for sign, number in map(str.split, rest):
            result = value + int(sign + number)
            steps.append(f"{value} {sign} {number} = {result}.")
            value = result
            assert 0 <= value <= 360
        assert 3 <= 1 + len(rest) <= 6
        assert (problem.cot, problem.answer) == (" ".join(steps), str(value))
    with pytest.raises(ValueError, match="terms must be two numbers from 2 on"):
        drawn("structure", "train", 1, terms=(1, 3))


def test_a_search_says_its_kinds_plainly_and_marks_all_that_is_meant():
    told = drawn("counting", "train", 100, text_only=True)
    searches = [one for one in told if one.meta["template"] == "all"]
    assert {problem.answer == "none" for problem in searches} == {True, False}
    assert {problem.question.count(" and all ") for problem in searches} == {0, 1}
    for problem in searches:
        first, _, rest = problem.cot.partition(".")
        kinds = [
            {*adjectives, noun.removesuffix("es" if noun == "buses" else "s")} - {"object"}
            for *adjectives, noun in map(str.split, first.split(" or "))
        ]
        marked = re.findall(rf"(x\d y\d) ({THINGS}) (yes|no)\.", rest)
        assert len(marked) == rest.count(".")
        for _, thing, *_, mark in marked:
            meant = any(kind <= set(thing.split()) for kind in kinds)
            assert mark == ("yes" if meant else "no")
        found = [place for place, *_, mark in marked if mark == "yes"]
        assert problem.answer == (", ".join(found) or "none")


def test_what_is_told_is_asked_about_as_if_it_were_seen():
    kinds = set()
    for problem in drawn("counting", "train", 120, text_only=True, whole=1.0):
        caption, question = re.fullmatch(r"((?:x.+?\. )+)(.+)", problem.question).groups()
        assert not problem.images and not problem.meta["cells"]
        if problem.meta["template"] not in ("all", "sum"):
            assert problem.cot == caption.strip()
        kinds.add(question.split()[0])
    assert {"Where", "What", "Is", "In"} <= kinds


def test_a_caption_names_all_objects_from_left_to_right():
    for problem in drawn("counting", "blocks", 20, whole=1.0):
        said = re.findall(rf"x(\d) y(\d) {THINGS}(?: yes| no)?\.", problem.cot)
        more = problem.meta["template"] in ("all", "sum")
        assert len(said) == problem.cot.count(".") - more >= 3
        assert [x for x, *_ in said] == sorted(x for x, *_ in said)
    scene = {
        "width": 480,
        "height": 320,
        "objects": [
            {"size": "small", "color": "red", "material": "metal", "shape": "suv"}
            | {"pixel_coords": [470.0, 10.0, 9.0]},
            {"size": "large", "color": "cyan", "material": "rubber", "shape": "cube"}
            | {"pixel_coords": [61.0, 160.0, 9.0]},
        ],
    }
    # 61 of 480 is in the second of eight columns, 160 of 320 in the fourth of six rows.
    assert caption_of(scene) == ("x1 y3 large cyan rubber cube", "x7 y0 small red metal car")
    assert grid_place((61.0, 160.0), 480, 320) == "x1 y3"


def test_the_answer_stands_in_the_thought_or_follows_from_it():
    for problem in trained_on("counting"):
        if problem.meta["template"] in ("size", "color", "material", "shape", "place", "next"):
            assert problem.answer in problem.cot
        if problem.meta["template"] in ("column", "row"):
            assert re.search(rf"[xy]{problem.answer}\b", problem.cot)


def test_images_of_one_problem_show_states_that_cannot_be_compared():
    for problem in drawn("transformation", "left", 20, whole=1.0):
        first, second = problem.cot.split("\nsecond\n")
        assert first.startswith("first\n")
        before, after = set(re.findall(THINGS, first)), set(re.findall(THINGS, second))
        assert before and after and before != after


def test_problems_may_all_list_objects_or_none():
    all_listed = drawn("transformation", "train", 12, listed=1.0, whole=1.0)
    assert all(re.match(r"first\n0 \w+ \w+ \w+ \w+ r\d c\d\n", one.cot) for one in all_listed)
    none_listed = drawn("transformation", "train", 12, listed=0.0, whole=1.0)
    assert all(re.match(r"first\nr\d c\d ", one.cot) for one in none_listed)
    with pytest.raises(ValueError, match="listed is a share"):
        drawn("transformation", "train", 1, listed=2.0)


def test_calls_are_about_the_first_image():
    calls = [one for one in trained_on("transformation") if one.task == "transformation"]
    assert {one.answer.partition("(")[0] for one in calls} >= {"change_position", "change_color"}
    for problem in calls:
        function, number, value = re.split(r"\(|, |\)", problem.answer)[:3]
        listed = re.findall(r"\('(\d)', (.*?)\)", problem.question)
        assert function == "change_position" or f"'{value}'" in dict(listed)[number]


def test_captions_of_figures_read_what_is_written():
    kinds = set()
    for problem in drawn("structure", "train", 80, whole=1.0):
        kind, _, rest = problem.cot.partition(". ")
        kinds.add(kind)
        for x, y in re.findall(r"\bx(\d) y(\d) ", rest):
            assert int(x) < 8 and int(y) < 6
        if problem.choices:
            assert problem.choices["ABCD".index(problem.answer)] in problem.cot
    assert len(kinds) == 9


def test_light_changes_training_images_and_leaves_tests_as_they_are_drawn():
    plain = drawn("counting", "train", 8, light=[], plain=1.0, antialias=[1])
    lit = drawn("counting", "train", 8, plain=0.0, antialias=[1])
    assert [one.cot for one in plain] == [one.cot for one in lit]
    assert all(one.images != other.images for one, other in zip(plain, lit, strict=True))
    assert drawn("counting", "blocks", 2) == drawn("counting", "blocks", 2, light=[])
