import pytest
from hypothesis import given, settings

from reasonrft.rewards import StarR1Reward
from tests.conftest import problem
from tests.rewards.test_robust import GOLD, QUESTION, hacks, pieces

# change_color(2, cyan), change_position(2, behind)
TWO = GOLD["transformation"]
# The second change of colour hides the first.
HIDING = problem(
    "change_color(0, red), change_size(1, small), change_color(0, blue)", "transformation"
)
EITHER = problem("change_position(0, left)", "transformation", meta={"options": [[0, ["behind"]]]})


@pytest.mark.parametrize(
    ("asked", "answer", "reward"),
    [
        (TWO, "change_color(2, cyan), change_position(2, behind)", 5 + 5),
        (TWO, "change_position(2, behind), change_color(2, cyan)", 5 + 5),  # in any order
        (TWO, "change_color(2, red), change_position(2, behind)", 1.5 + 5),
        (TWO, "change_color(2, red), change_position(2, left)", 1.5 + 1.5),
        (TWO, "change_size(2, small), change_position(2, behind)", 0.5 + 5),
        (TWO, "change_size(1, small), change_position(2, behind)", 5 - 1),
        (TWO, "change_color(1, cyan), change_position(1, behind)", -1 - 1),
        (TWO, "change_color(2, cyan)", 5 - 1),  # one is missing
        (TWO, "change_color(0, cyan)", -1 - 1),  # one is wrong, one is missing
        (TWO, "", -2),
        (TWO, "none at all", -2),
        # A third call is wrong, whatever it says: a repeated one, one on the same object.
        (TWO, "change_color(2, cyan), change_color(2, cyan), change_position(2, behind)", 9),
        (TWO, "change_color(2, cyan), change_size(2, large), change_position(2, behind)", 9),
        # Two calls are repeated: the second is paired with what is left, a step on its object.
        (TWO, "change_color(2, cyan), change_color(2, cyan)", 5 + 0.5),
        (TWO, "change_color(2, pink), change_position(2, behind)", -1 + 5),  # no such value
        (TWO, "paint(2, cyan), change_position(2, behind)", -1 + 5),  # no such function
        (TWO, ", ".join(f"change_size({n}, small)" for n in range(3, 11)), -8),
        (TWO, ", ".join(f"change_size({n}, small)" for n in range(3, 103)), -20),  # and no less
        (HIDING, "change_size(1, small), change_color(0, blue)", 5 + 5),
        (HIDING, "change_color(0, red), change_size(1, small), change_color(0, blue)", 5 + 5),
        # The gold answer has one hidden change of this colour, and not two.
        (
            HIDING,
            "change_color(0, red), change_color(0, green), change_size(1, small), "
            "change_color(0, blue)",
            5 + 5 - 1,
        ),
        (EITHER, "change_position(0, left)", 5),
        (EITHER, "change_position(0, behind)", 5),
        (EITHER, "change_position(0, right)", 1.5),
        (EITHER, "change_position(0, left), change_position(0, behind)", 5 - 1),
    ],
)
def test_rewards_by_hand(asked, answer, reward):
    completion = f"<think>so</think>\n<answer>\n{answer}\n</answer>"
    assert StarR1Reward().reward(completion, asked) == reward


def test_every_statement_of_an_answer_counts_and_thoughts_do_not():
    right = f"<answer>{TWO.answer}</answer>"
    reward = StarR1Reward()
    assert reward.reward(f"The answer is change_color(1, red). {right}", TWO) == -2
    assert (
        reward.reward(f"<think>{TWO.answer}</think><answer>change_color(2, cyan)</answer>", TWO)
        == 4
    )
    assert reward.reward(f"<think>{right}</think>", TWO) == -2


def test_hacks_earn_what_silence_earns_and_enumeration_less_than_the_answer():
    for completion in hacks(TWO, "transformation"):
        # Of nine calls two are right and seven wrong: 2 x 5 - 7.
        expected = 3 if "change_size(0, small)" in completion else -2
        assert StarR1Reward().reward(completion, TWO) == expected, completion


def test_a_problem_of_another_task_earns_nothing():
    assert StarR1Reward().reward("<answer>3</answer>", problem("3", "counting", QUESTION)) == 0


@settings(deadline=None, max_examples=100)
@given(pieces, pieces)
def test_rewards_stay_within_their_range(completion, answer):
    assert -20 <= StarR1Reward().reward(completion, TWO) <= 10
    assert -20 <= StarR1Reward().reward(completion, problem(answer, "transformation")) <= 20
