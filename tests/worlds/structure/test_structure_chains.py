import random
import re
from dataclasses import replace

import pytest

from reasonrft.worlds.structure import StructureWorld
from tests.worlds.checkers.structure_arithmetic import Equation, equations, evaluate
from tests.worlds.checkers.structure_chain import check

WORLDS = [
    StructureWorld(0),
    StructureWorld(1, style="compact", small=True),
    StructureWorld(2, **StructureWorld.presets["tiny"]),
]


@pytest.mark.parametrize("split", StructureWorld.splits)
@pytest.mark.parametrize("world", WORLDS, ids=["words", "compact", "tiny"])
def test_every_chain_entails_its_answer(world, split):
    for index in range(40):
        problem = world.problem(split, index)
        assert check(problem) is None, (problem.id, problem.cot)


def changed(problem, rng: random.Random) -> str:
    """The chain with one number made larger by one."""
    found = list(re.finditer(r"\d+", problem.cot))
    match = rng.choice(found)
    return f"{problem.cot[: match.start()]}{int(match[0]) + 1}{problem.cot[match.end() :]}"


@pytest.mark.parametrize("split", ["train", "ood"])
def test_a_wrong_number_in_a_chain_is_found(split):
    world, rng = WORLDS[1], random.Random(0)
    problems = [world.problem(split, index) for index in range(120)]
    problems = [problem for problem in problems if re.search(r"\d", problem.cot)]
    caught = [check(replace(problem, cot=changed(problem, rng))) for problem in problems]
    # What is left is the name of an angle, ∠1 for ∠2.
    assert sum(map(bool, caught)) >= 0.98 * len(caught)


@pytest.mark.parametrize("split", ["train", "ood"])
def test_another_answer_is_not_entailed(split):
    world = WORLDS[0]
    for index in range(60):
        problem = world.problem(split, index)
        other = "ABCD"[("ABCD".index(problem.answer) + 1) % len(problem.choices)] if (
            problem.choices
        ) else problem.answer + "1"  # fmt: skip
        assert check(problem) is None
        assert "answer" in (check(replace(problem, answer=other)) or "")


def test_equations_are_found_among_words():
    text = "The angles make (5 - 2) × 180 = 540 degrees. ∠A = 40 and AB = BC = 3. x = √12 = 2√3."
    assert list(equations(text)) == [
        Equation("", ("( 5 - 2 ) × 180", "540")),
        Equation("∠A", ("40",)),
        Equation("AB", ()),
        Equation("BC", ("3",)),
        Equation("", ("x", "√ 12", "2 √ 3")),
    ]


def test_sides_are_evaluated_with_unknowns():
    assert evaluate("2 x - 14", {"x": "22"}) == 30
    assert evaluate("x × x", {"x": "2√3"}) == pytest.approx(12)
    assert evaluate("( 5 - 2 ) × 180", {}) == 540
    assert evaluate("49 π / 6", {}) == pytest.approx(25.6563400043)
    assert evaluate("", {}) is None


@pytest.mark.parametrize(
    "cot, fault",
    [
        ("∠A = 40. ∠B = 60. 40 + 60 = 100. 180 - 100 = 80. answer 80.", None),
        ("∠A = 41. ∠B = 60. 41 + 60 = 101. 180 - 101 = 79. answer 79.", "∠A is given as 40"),
        ("40 + 60 = 110. 180 - 110 = 70. answer 70.", "does not hold"),
        ("130 - 50 = 80. answer 80.", "130 in '130 - 50' comes from nowhere"),
        ("40 + 60 = 100. 180 - 100 = 80. answer 100.", "the conclusion says 100"),
        ("40 + 60 = 100. answer 100.", "not the answer"),
        ("40 + 60 = 100. 180 - 100 = 80. done.", "no conclusion"),
        ("x = 80. answer 80.", "80 in '80' comes from nowhere"),
        ("2 x = 160. answer 80.", "no value found for x"),
        ("", "no conclusion"),
    ],
)
def test_faults_are_told(cot, fault):
    problem = StructureWorld(0, topologies=("triangle_sum",), choice_share=0).problem("train", 0)
    facts = [{"name": "∠A", "value": "40"}, {"name": "∠B", "value": "60"}]
    question = "In triangle ABC, ∠A = 40° and ∠B = 60°. Find ∠C."
    found = check(replace(problem, question=question, answer="80", cot=cot, meta={"facts": facts}))
    assert found is None if fault is None else fault in (found or "")
