"""Listing an answer among wrong ones, in the layouts that the real data sets have."""

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction

from reasonrft.worlds.structure.values import Value

LETTERS = "ABCDEFGH"
LAYOUTS = ("{letter}. {text}", "({letter}) {text}", "{letter}: {text}")
STEPS = (10, 5, 2, 1, 3, 20, 4, 15, 7, 30)


def offer(
    answer: Value | str,
    mistakes: Sequence[Value | str],
    count: int,
    place: int,
    rising: bool,
    rng: random.Random,
) -> list[Value | str]:
    """So many options with the answer at this place; rising ones may need implausible values."""
    if isinstance(answer, str):
        wrong: list[Value | str] = rng.sample(list(mistakes), count - 1)
        return [*wrong[:place], answer, *wrong[place:]]
    plausible = [value for value in mistakes if isinstance(value, Value)]
    rng.shuffle(plausible)
    pool = list(_distinct(answer, [*plausible, *_neighbours(answer, rng)]))
    if not rising:
        pool = pool[: count - 1]
    below = [value for value in pool if float(value) < float(answer)][:place]
    above = [value for value in pool if float(value) > float(answer)][: count - 1 - place]
    if len(below) + len(above) == count - 1:
        return [*sorted(below, key=float), answer, *sorted(above, key=float)]
    others = pool[: count - 1]
    return [*others[:place], answer, *others[place:]]


def _distinct(answer: Value, values: Sequence[Value]) -> Iterator[Value]:
    """Positive values that differ from the answer and from each other."""
    seen = {round(float(answer), 6)}
    for value in values:
        key = round(float(value), 6)
        if key > 0 and key not in seen:
            seen.add(key)
            yield value


def _neighbours(answer: Value, rng: random.Random) -> Iterator[Value]:
    """Values of the same form a few steps away."""
    large = abs(answer.coefficient) >= 20
    steps = [step for step in STEPS if large or step < 5]
    rng.shuffle(steps)
    unit = Fraction(1, answer.coefficient.denominator)
    for step in [*steps, *range(1, 12)]:
        for sign in rng.sample([1, -1], 2):
            yield answer.plus(sign * step * (unit if answer.coefficient < 1 else 1))


def listing(texts: Sequence[str], layout: str, lines: bool) -> str:
    """The options as a question lists them, after the word Choices."""
    items = [
        layout.format(letter=letter, text=text)
        for letter, text in zip(LETTERS, texts, strict=False)
    ]
    return "Choices:\n" + "\n".join(items) if lines else "Choices: " + " ".join(items)
