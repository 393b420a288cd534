import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonrft.tasks import find_task
from reasonrft.tasks.units import split_unit, units_agree
from tests.conftest import problem


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("10米", "10", "m"),
        ("10 meters", "10", "m"),
        ("8厘米", "8", "cm"),
        ("40海里", "40", "nmi"),
        ("40 nautical miles", "40", "nmi"),
        ("12 square units", "12", "unit^2"),
        ("6 cm^2", "6", "cm^2"),
        ("6平方厘米", "6", "cm^2"),
        ("12 m/s", "12", "m/s"),
        ("140°", "140", "°"),
        ("50%", "50", "%"),
        ("7 wugs", "7", "wugs"),
        ("7 коров", "7", "коров"),
        ("3", "3", ""),
        ("2x", "2x", ""),
        ("m", "m", ""),
    ],
)
def test_a_unit_is_told_from_its_value(text, value, unit):
    assert split_unit(text) == (value, unit)


@pytest.mark.parametrize(
    ("given", "gold", "question", "agree"),
    [
        ("", "m", "", True),  # a unit may be left out
        ("m", "m", "", True),
        ("cm", "m", "", False),
        ("cm", "", "Find x.", True),  # what figures are measured in
        ("°", "", "AB is 5 cm. Find the angle.", True),
        ("%", "", "Find x.", False),
        ("%", "", "What percentage is it?", True),
        ("h", "", "How many hours?", True),
        ("h", "", "Find the height h.", False),
        ("cm", "", "How many hours?", False),
        ("dollar", "", "A pen costs $3. And two?", True),
    ],
)
def test_a_unit_may_be_left_out_but_not_be_another(given, gold, question, agree):
    assert units_agree(given, gold, question) is agree


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        ("10米", "10.0", 1),
        ("8厘米", "8", 1),
        ("40海里", "40.0", 1),
        ("40海里", "40 km", 0),
        ("7 wugs", "7", 1),
        ("7 wugs", "7 wugs", 1),
        ("7 wugs", "7 dogs", 0),
    ],
)
def test_units_of_any_script_in_gold_answers(gold, answer, right):
    found = find_task("structure").accuracy(
        f"<answer>{answer}</answer>", problem(gold, "structure")
    )
    assert found == right


@given(st.text(max_size=200))
def test_no_text_raises(text):
    value, unit = split_unit(text)
    assert (value == text) or unit
