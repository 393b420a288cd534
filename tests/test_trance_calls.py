import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonrft.trance_calls import Call, pair_steps, read_calls, repeats, visible_steps

CYAN, BEHIND = Call("change_color", "2", "cyan"), Call("change_position", "2", "front_left")


@pytest.mark.parametrize(
    "text",
    [
        "change_color(2, cyan), change_position(2, front_left)",
        "change_color(2,cyan)\nchange_position(2,front_left)\n",
        "1. change_color('2', 'cyan')\n2. change_position(2, front-left)",
        '["change_color(2, cyan)", "change_position(2, front left)"]',
        "Change_Color(2, Cyan) then change_position( 2 , front_left ).",
        "```\nchange_color(2, cyan) -> change_position(2, front_left)\n```",
    ],
)
def test_spellings_of_one_sequence(text):
    assert read_calls(text) == [CYAN, BEHIND]


@pytest.mark.parametrize(
    "text", ["", "I think change_color(2, cyan)", "change_color(2)", "change_color(2, cyan) maybe"]
)
def test_anything_else_is_no_sequence(text):
    assert read_calls(text) is None


def test_valid_calls():
    assert CYAN.valid
    assert not Call("change_colour", "2", "cyan").valid
    assert not Call("change_color", "2", "front").valid
    assert not Call("change_color", "two", "cyan").valid


def test_only_the_last_change_of_an_attribute_shows_but_every_move():
    red = Call("change_color", "2", "red")
    assert visible_steps([red, BEHIND, CYAN, BEHIND]) == [1, 2, 3]


def test_repeats_are_measured_against_the_gold_answer():
    assert repeats([BEHIND, BEHIND], [BEHIND])
    assert not repeats([BEHIND, BEHIND], [BEHIND, BEHIND])


def test_pairing_leaves_a_step_to_the_only_call_it_admits():
    left, right = Call("change_position", "0", "left"), Call("change_position", "0", "right")
    # Both admit step 0, so "left" must move over to it for "right" to have step 1.
    assert pair_steps([left, right], [{left, right}, {left}]) == {0: 1, 1: 0}


@given(st.text(max_size=300) | st.text(alphabet="change_color(2, 'yn)\n1.;[]-", max_size=300))
def test_no_text_raises(text):
    calls = read_calls(text)
    assert calls is None or calls
