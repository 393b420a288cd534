import json
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonrft.tasks.numbers import numbers_agree, read_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("03", 3),
        ("-2.50", Fraction(-5, 2)),
        ("−7", -7),
        ("1,000", 1000),
        ("1{,}000", 1000),
        ("1e-3", Fraction(1, 1000)),
        ("1/2", Fraction(1, 2)),
        ("1 1/2", Fraction(3, 2)),
        ("2½", Fraction(5, 2)),
        (r"\frac{3}{4}", Fraction(3, 4)),
        (r"\dfrac{7}{2}", Fraction(7, 2)),
        (r"\frac12", Fraction(1, 2)),
        (r"$\frac{3}{4}$ units", Fraction(3, 4)),
        (r"\boxed{3}", 3),
        (r"\text{3}", 3),
        ("**3**", 3),
        ("3.", 3),
        ("x = 5", 5),
        (r"m\angle A = 40^\circ", 40),
        ("140°", 140),
        ("140 degrees", 140),
        ("6 cm^2", 6),
        ("6 cm²", 6),
        ("12 square units", 12),
        ("12 m/s", 12),
        ("50%", 50),
        ("$5", 5),
        ("3 objects", 3),
        ("3 spheres are left", 3),
        ("three", 3),
        ("The answer is 3.", 3),
        ("Answer: 3", 3),
        ("2^3", 8),
        (r"3 \times 10^{4}", 30000),
        (r"\sqrt{16}", 4),
        (r"\sqrt[3]{8}", 2),
        ("(2)(3)", 6),
    ],
)
def test_exact_numbers(text, value):
    assert read_number(text).exact == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("14π", 14 * math.pi),
        ("14 π cm", 14 * math.pi),
        (r"$14\pi$", 14 * math.pi),
        (r"2\sqrt{3} cm", 2 * math.sqrt(3)),
        ("√2", math.sqrt(2)),
        (r"\frac{\sqrt{3}}{2}", math.sqrt(3) / 2),
        (r"26+2\sqrt{3}+2\sqrt{6}", 26 + 2 * math.sqrt(3) + 2 * math.sqrt(6)),
        ("180*asin(2*sqrt(10)/7)/pi", 64.6230664748477),
    ],
)
def test_irrational_numbers(text, value):
    number = read_number(text)
    assert number.exact is None
    assert math.isclose(number.value, value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 2 3",
        "3 or 4",
        "3, 4",
        "1,00",
        "1.2.3",
        "1_0",
        "0x10",
        "nan",
        "inf",
        "1/0",
        "0^-1",
        "m",
        "sum",
        "how many",
        "3 - ",
        "9**9**9**9",
        "9^{9^{9^{9}}}",
        "1e999",
        "(" * 10_000 + "3" + ")" * 10_000,
        "9" * 1_000_000,
        "-" * 150 + "3",
    ],
)
def test_everything_else_is_no_number(text):
    assert read_number(text) is None


@pytest.mark.parametrize(
    ("answer", "gold", "agree"),
    [
        ("3.0", "3", True),
        ("3.4", "3", False),
        ("0", "0.0", True),
        ("0.001", "0", False),
        ("0.5", "1/2", True),
        ("14 π", r"14\pi", True),
        ("43.98", "14π", True),  # 43.9823 to two places
        ("44", "14π", False),  # claims to be whole
        ("8.9443", "8.94", True),
        (r"4\sqrt{5}", "8.94", True),
        ("8.95", "8.94", False),
        ("8.9", "8.94", False),  # less exact than the gold answer
        ("0.34", "0.3", False),  # rounds to it, but 13 % off
        ("140°", "140", True),
    ],
)
def test_agreement(answer, gold, agree):
    assert numbers_agree(read_number(answer), read_number(gold)) is agree


def test_exact_answers_of_real_geometry_are_read(real):
    rows = json.loads((real / "geometry3k" / "formal.json").read_text())
    short = [row for row in rows if len(row["answer"]) <= 200]
    assert len(short) == len(rows) - 1
    for row in short:
        assert math.isclose(read_number(row["answer"]).value, row["value"], rel_tol=1e-9)


@given(st.integers(-(10**9), 10**9), st.integers(1, 1000))
def test_what_is_printed_is_read_back(top, bottom):
    assert read_number(f"{top}").exact == top
    assert read_number(f"{top:,}").exact == top
    assert read_number(rf"\frac{{{top}}}{{{bottom}}}").exact == Fraction(top, bottom)


@given(
    st.text(max_size=250) | st.text(alphabet="0123456789.+-*/^(){}\\sqrtfacpi π√°,= ", max_size=80)
)
def test_no_text_raises_or_is_infinite(text):
    number = read_number(text)
    assert number is None or math.isfinite(number.value)
