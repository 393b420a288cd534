import dataclasses
import re

import pytest

from reasonrft.worlds.counting.counting_world import CountingWorld
from reasonrft.worlds.counting.words import grid_place, spoken_place
from tests.conftest import problem
from tests.worlds.checkers.counting_chain import check_chain
from tests.worlds.checkers.counting_reading import read_chain

SMALL = {"width": 24, "height": 16}


def items(*rows):
    return [
        {**dict(zip(("size", "color", "material", "shape"), words.split(), strict=True)), **place}
        for words, place in rows
    ]


SCENE = {
    "width": 480,
    "height": 320,
    "objects": items(
        ("small red metal sphere", {"pixel_coords": [400, 150, 12]}),
        ("large red rubber cube", {"pixel_coords": [30, 250, 8]}),
        ("small blue rubber sphere", {"pixel_coords": [240, 90, 14]}),
    ),
}
COMPACT = (
    "count spheres off red spheres. x0 y4 large red rubber cube no. "
    "x4 y1 small blue rubber sphere yes 1. x6 y2 small red metal sphere yes 2 off 1. "
    "total 2 off 1. 2 - 1 = 1."
)
WORDS = (
    "I count the spheres from left to right, and which of them are red spheres. "
    "A large red rubber cube at the front left: no. "
    "A small blue rubber sphere at the back: yes, that makes 1. "
    "A small red metal sphere on the right: yes, that makes 2, but it goes, 1 gone. "
    "That makes 2 spheres, and 1 of them go. So the answer is 2 - 1 = 1."
)


def judged(cot, question="Subtract all red balls. How many spheres are left?", answer="1"):
    return check_chain(problem(answer, "counting", question, cot=cot, meta={"scene": SCENE}))


@pytest.mark.parametrize("cot", [COMPACT, WORDS])
def test_right_chains(cot):
    assert judged(cot) is None
    assert "end with the answer" in judged(cot, answer="2")
    assert "ask for" in judged(cot, "Subtract all red cubes. How many cubes are left?")
    assert "take away" in judged(cot, "Subtract all blue balls. How many spheres are left?")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("x4 y1 small blue rubber sphere yes 1. ", "", "2 objects"),
        ("large red rubber cube", "large red metal cube", "no large red metal cube"),
        ("x4 y1", "x4 y2", "not x4 y2"),
        ("rubber cube no", "rubber cube yes 1", "wrongly"),
        ("sphere yes 1", "sphere no", "wrongly"),
        ("yes 2 off 1", "yes 2", "wrongly"),
        ("yes 2 off 1", "yes 3 off 1", "wrongly"),
        ("total 2 off 1", "total 2 off 2", "tally"),
        ("total 2 off 1", "total 2", "tally"),
        ("2 - 1 = 1", "3 - 2 = 1", "arithmetic"),
        ("2 - 1 = 1", "2 - 1 = 2", "wrong"),
        ("2 - 1 = 1", "2 + 1 = 3", "arithmetic"),
        ("count spheres off red spheres", "count spheres", "take away"),
        ("total 2 off 1. ", "", "cannot be read"),
        ("no.", "perhaps.", "cannot be read"),
    ],
)
def test_wrong_chains(old, new, fault):
    assert old in COMPACT
    assert fault in judged(COMPACT.replace(old, new))


@pytest.mark.parametrize("style", ["words", "compact"])
def test_brief_chains_state_the_tally_and_change_nothing_else(style):
    long, some, short = (
        CountingWorld(3, style=style, brief=brief, **SMALL) for brief in (0, 0.5, 1)
    )
    lengths = set()
    for index in range(12):
        one, mixed, other = (world.problem("train", index) for world in (long, some, short))
        first, *_, total, result = one.cot.split(". ")
        assert other.cot == f"{first}. {total}. {result}"
        assert check_chain(other) is None
        assert dataclasses.replace(other, cot=one.cot) == one
        assert mixed.cot in (one.cot, other.cot)
        lengths.add(mixed.cot == one.cot)
        for digit in re.finditer(r"\d+", total):
            wrong = f"{total[: digit.start()]}{int(digit[0]) + 1}{total[digit.end() :]}"
            assert check_chain(dataclasses.replace(other, cot=f"{first}. {wrong}. {result}"))
    assert lengths == {True, False}


@pytest.mark.parametrize("style", ["words", "compact"])
@pytest.mark.parametrize("split", ["train", "ood-domain", "ood-operation"])
def test_a_changed_number_or_word_is_noticed(style, split):
    world = CountingWorld(9, style=style, **SMALL)
    for index in range(4):
        right = world.problem(split, index)
        assert check_chain(right) is None
        for match in re.finditer(r"\d+", right.cot):
            other = str((int(match[0]) + 1) % 10)
            cot = right.cot[: match.start()] + other + right.cot[match.end() :]
            assert check_chain(dataclasses.replace(right, cot=cot)), (match, cot)
        for old, new in (("large", "small"), ("metal", "rubber"), (" red ", " blue ")):
            if old in right.cot:
                cot = right.cot.replace(old, new, 1)
                assert check_chain(dataclasses.replace(right, cot=cot)), cot


def test_words_are_varied_and_compact_chains_are_not():
    long = [CountingWorld(**SMALL).problem("train", index).cot for index in range(20)]
    assert len({cot.split(" ")[0] for cot in long}) == 4
    short = CountingWorld(style="compact", objects=(3, 6), **SMALL)
    vocabulary = set()
    for index in range(40):
        vocabulary |= set(re.findall(r"\w+|[^\w\s]", short.problem("train", index).cot))
    # 15 attributes, 7 plurals, 8 columns, 6 rows, 8 other words, digits and signs
    assert len(vocabulary) < 60


def test_places():
    assert grid_place([0, 0], 480, 320) == "x0 y0"
    assert grid_place([479.9, 319.9], 480, 320) == "x7 y5"
    assert grid_place([-3, 400], 480, 320) == "x0 y5"
    assert spoken_place([240, 140], 480, 320) == "in the middle"
    assert spoken_place([240, 100], 480, 320) == "at the back"
    assert spoken_place([10, 300], 480, 320) == "at the front left"


@pytest.mark.parametrize("text", ["", ".", "yes", "a. b. c. d. e.", "1 - 1 = 0. " * 9])
def test_other_text_is_no_chain(text):
    assert read_chain(text) is None
