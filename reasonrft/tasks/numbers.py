"""Reading one number, as people and models write it: 3, 1,000, -2.50, 1/2, 14π, 2\\sqrt{3} cm.

No text makes it hang, raise, or return a number that is not finite.
"""

import math
import re
from dataclasses import dataclass, replace
from fractions import Fraction

from reasonrft.tasks.expressions import Unreadable, evaluate
from reasonrft.tasks.spelling import normalise
from reasonrft.tasks.units import split_unit
from reasonrft.tasks.vocabulary import NO_QUESTION, Vocabulary, all_known, without_known

MAX_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Number:
    """A value, exact where it is rational."""

    value: float
    exact: Fraction | None
    decimals: int | None
    """Printed decimal places, where the text is a plain decimal."""
    unit: str = ""
    """Name of its unit of measure."""


def read_number(text: str, known: Vocabulary = NO_QUESTION) -> Number | None:
    """The one number that the text states among known words, or None.

    A chain of equations states its last number, if all others are equal to it.
    """
    if len(text) > MAX_LENGTH:
        return None
    body = _without_label(normalise(text), known)
    *others, last = (_read_side(side, known) for side in re.split(r"[=≈]", body.lstrip("=≈ ")))
    if last is None:
        return None
    for other in others:
        if other is None or not (numbers_agree(other, last) or numbers_agree(last, other)):
            return None
    return last


_GREEK = "alpha|beta|gamma|delta|theta|phi|lambda|omega"
# x, ∠ABC, m∠A, \\overline{AB}, A_1, f(x) or θ, followed by "=", ":" or "is".
_LABEL = re.compile(
    r"(?:m ?)?(?:∠|△|\\?angle|\\?triangle|\\overline)?"
    rf"\s*\{{?(?:[A-Za-z]|[A-Z]{{2,4}}|\\?(?:{_GREEK})|[α-ω])\}}?"
    r"(?:_\{?\w\}?|\(\w\)|')?\s*(?:[=≈:]|\bis\b|\bequals\b)"
)


def _without_label(text: str, known: Vocabulary) -> str:
    """The text without the name of what is measured: x =, ∠ABC =, "the length of AB is"."""
    match = _LABEL.search(text)
    if not match or not all_known(text[: match.start()], known):
        return text
    return text[match.end() :].strip()


def _read_side(text: str, known: Vocabulary) -> Number | None:
    """One side of an equation, with a unit and known words."""
    body = without_known(_in_digits(text), known).strip(" .,;")
    whole, space, aside = body.partition(" (")
    if space and aside.endswith(")") and (first := _read_value(whole)):  # "25/2 (12.5)"
        second = _read_value(aside[:-1].strip())
        return first if second and numbers_agree(first, second) else None
    return _read_value(body)


def _read_value(text: str) -> Number | None:
    number = _evaluated(text)
    if number is None:
        body, unit = split_unit(text)
        number = _evaluated(body.replace("°", " ")) if unit else None
        number = number and replace(number, unit=unit)
    return number


def _evaluated(body: str) -> Number | None:
    try:
        value = evaluate(body)
        approximate = float(value)
    except (Unreadable, ArithmeticError, ValueError):
        return None
    if not math.isfinite(approximate):
        return None
    plain = re.fullmatch(r"[+-]?\d*(?:\.(\d*))?", body)
    decimals = len(plain[1] or "") if plain else None
    return Number(approximate, value if isinstance(value, Fraction) else None, decimals)


def numbers_agree(answer: Number, gold: Number) -> bool:
    """Equal, or equal once the more exact of the two is rounded to the other's printed decimals."""
    if answer.exact is not None and gold.exact is not None and answer.exact == gold.exact:
        return True
    if math.isclose(answer.value, gold.value, rel_tol=1e-9):
        return answer.exact is None or gold.exact is None
    return _rounds_to(answer, gold) or (gold.exact is None and _rounds_to(gold, answer))


def _rounds_to(finer: Number, printed: Number) -> bool:
    """8.9443 and 4√5 round to 8.94; 3.4 does not round to 3, which claims to be whole."""
    if not printed.decimals or (finer.decimals is not None and finer.decimals <= printed.decimals):
        return False
    gap = abs(finer.value - printed.value)
    return gap <= 0.5 * 10.0**-printed.decimals + 1e-12 and gap <= 0.02 * abs(printed.value)


_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_WORDS = {word: value for value, word in enumerate(_ONES)}
_WORDS |= {word: 10 * value for value, word in enumerate(_TENS, 2)}
_WORDS |= {
    f"{ten}-{one}": 10 * tens + ones
    for tens, ten in enumerate(_TENS, 2)
    for ones, one in enumerate(_ONES[1:10], 1)
}
_NUMBER_WORD = re.compile(r"\b(?:" + "|".join(sorted(_WORDS, key=len, reverse=True)) + r")\b", re.I)


def _in_digits(text: str) -> str:
    return _NUMBER_WORD.sub(lambda word: f" {_WORDS[word[0].lower()]} ", text)
