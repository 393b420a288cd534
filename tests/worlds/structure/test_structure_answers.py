from dataclasses import replace

import pytest

from reasonrft.worlds.structure import StructureWorld
from tests.worlds.checkers.structure import answer_fault, verify
from tests.worlds.checkers.structure_measures import MEASURES, angle, arc
from tests.worlds.checkers.structure_motion_pixels import motions_between
from tests.worlds.checkers.structure_recount import count_shapes, opposite


@pytest.mark.parametrize("split", StructureWorld.splits)
def test_every_answer_is_found_again(split):
    world = StructureWorld(0)
    for index in range(80):
        problem = world.problem(split, index)
        assert verify(problem) is None, (problem.id, problem.question)


@pytest.mark.parametrize("split", ["train", "ood"])
def test_a_wrong_answer_is_found(split):
    world = StructureWorld(0)
    for index in range(80):
        problem = world.problem(split, index)
        if problem.choices:
            wrong = "ABCD"[("ABCD".index(problem.answer) + 1) % len(problem.choices)]
        else:
            wrong = problem.answer + "1"
        assert answer_fault(replace(problem, answer=wrong)) is not None, (problem.question, wrong)


def test_a_fact_that_the_figure_does_not_show_is_found():
    problem = StructureWorld(0, topologies=("triangle_sum",)).problem("train", 0)
    fact = {**problem.meta["facts"][0], "value": "33"}
    meta = {**problem.meta, "facts": [fact]}
    assert "measures" in (verify(replace(problem, meta=meta)) or "")


def test_measures_by_hand():
    assert angle((1, 0), (0, 0), (0, 2)) == pytest.approx(90)
    assert arc((0, 0), (0, 1), (1, 0)) == pytest.approx(270)
    assert MEASURES["area"]((0, 0), (4, 0), (4, 3)) == 6
    assert MEASURES["perimeter"]((0, 0), (4, 0), (4, 3)) == 12
    corner = (0, 0, 0), (2, 0, 0), (0, 3, 0), (0, 0, 4)
    assert MEASURES["box volume"](*corner) == 24
    assert MEASURES["box surface"](*corner) == pytest.approx(52)  # 2 (6 + 8 + 12)
    assert MEASURES["sin"]((4, 0), (0, 0), (4, 3)) == pytest.approx(0.6)


def test_figures_are_counted_by_trying_all_lines():
    square = [[[0, 0], [2, 0]], [[0, 1], [2, 1]], [[0, 2], [2, 2]]]
    square += [[[x, 0], [x, 2]] for x in range(3)]
    assert count_shapes("squares", square) == 5  # four small, one large
    assert count_shapes("rectangles", square) == 9
    fan = [[[1, 2], [x, 0]] for x in range(3)] + [[[0, 0], [2, 0]]]
    assert count_shapes("triangles", fan) == 3


def test_dice_are_found_by_trying_all():
    # 1 on top with 2 left and 3 right; 1 on top with 4 left and 5 right: 6 lies below.
    assert opposite(1, [[1, 2, 3], [1, 4, 5]]) == "6"
    assert opposite(1, [[1, 2, 3]]).startswith("one of")


def test_motions_are_found_by_trying_all():
    hook = [[0, 0], [0, 1], [0, 2], [1, 0]]
    still = {"before": hook, "after": [[x + 1, y] for x, y in hook]}
    assert motions_between(still) == {("slide", 0)}
    mirrored = {"before": hook, "after": [[3 - x, y] for x, y in hook]}
    assert motions_between(mirrored) == {("flip", 0)}
    turned = {"before": hook, "after": [[y, 3 - x] for x, y in hook]}
    assert motions_between(turned) == {("turn", 90)}


@pytest.mark.parametrize("letter", "FGJLPR")
@pytest.mark.parametrize(
    "right, up, motion",
    [
        ((1, 0), (0, 1), ("slide", 0)),
        ((-1, 0), (0, 1), ("flip", 0)),
        ((1, 0), (0, -1), ("flip", 0)),
        ((0, -1), (1, 0), ("turn", 90)),
        ((-1, 0), (0, -1), ("turn", 180)),
        ((0, 1), (-1, 0), ("turn", 270)),
    ],
)
def test_letters_show_their_motion(letter, right, up, motion):
    assert motions_between({"letter": letter, "right": list(right), "up": list(up)}) == {motion}
