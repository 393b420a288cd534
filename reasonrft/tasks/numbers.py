"""Reading one number, as people and models write it: 3, 1,000, -2.50, 1/2, 14π, 2\\sqrt{3} cm.

No text makes it hang, raise, or return a number that is not finite.
"""

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from reasonrft.tasks.expressions import Unreadable, evaluate
from reasonrft.tasks.spelling import normalise, strip_unit

MAX_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Number:
    """A value, exact where it is rational."""

    value: float
    exact: Fraction | None
    decimals: int | None
    """Printed decimal places, where the text is a plain decimal."""


def read_number(text: str) -> Number | None:
    """The one number that the text states, or None."""
    if len(text) > MAX_LENGTH:
        return None
    body = strip_unit(normalise(text))
    if (word := _WORDS.get(body.lower())) is not None:
        return Number(float(word), Fraction(word), 0)
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


_WORDS = {
    word: value
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty".split()
    )
}
