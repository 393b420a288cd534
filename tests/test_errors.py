from hypothesis import given
from hypothesis import strategies as st

from reasonrft.errors import printable


@given(st.text())
def test_no_text_makes_a_terminal_do_things(text):
    shown = printable(text)
    assert all(char.isprintable() or char in "\n\t" for char in shown)
    if all(char.isprintable() for char in text):
        assert shown == text


def test_colours_titles_and_turned_text_are_spelt_out():
    assert printable("a\n\x1b[31m\x07\u202e\r") == "a\n\\x1b[31m\\x07\\u202e\\r"
