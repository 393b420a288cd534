"""Chains of thought: sentences in many words or few, every number in them computed."""

import random
from collections.abc import Mapping
from fractions import Fraction

from reasonrft.worlds.structure.values import rational

Number = int | Fraction


class Chain:
    """Sentences in order; each in one of several phrasings, or in its compact form."""

    def __init__(self, rng: random.Random, compact: bool) -> None:
        self.rng, self.compact = rng, compact
        self.sentences: list[str] = []

    def say(self, *phrasings: str, compact: str = "") -> None:
        """Add a sentence: any phrasing, or the compact one; an empty one is left out."""
        # Drawn in either style, so that the style does not change what is drawn after it.
        chosen = self.rng.choice(phrasings)
        if text := compact if self.compact else chosen:
            self.sentences.append(text)

    def work(self, equation: str, *leads: str) -> None:
        """Add an equation; in many words, behind one of the leads."""
        lead = self.rng.choice(leads) if leads else ""
        self.sentences.append(equation if self.compact or not lead else f"{lead} {equation}")

    def given(self, quantities: Mapping[str, Number]) -> None:
        """State what is given: ∠A = 40 and ∠B = 60."""
        read = [f"{name} = {rational(value)}" for name, value in quantities.items()]
        self.say(series(read), f"Given: {series(read)}", compact=". ".join(read))

    def add_up(self, numbers: list[int]) -> int:
        """Add up one number at a time: 3 + 4 = 7. 7 + 2 = 9."""
        total = numbers[0]
        for number in numbers[1:]:
            self.work(plus(total, number))
            total += number
        return total

    def __str__(self) -> str:
        return " ".join(f"{sentence}." for sentence in self.sentences)


def series(parts: list[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def plus(a: Number, b: Number) -> str:
    return f"{rational(a)} + {rational(b)} = {rational(a + b)}"


def minus(a: Number, b: Number) -> str:
    return f"{rational(a)} - {rational(b)} = {rational(a - b)}"


def times(a: Number, b: Number) -> str:
    return f"{rational(a)} × {rational(b)} = {rational(a * b)}"


def over(a: Number, b: Number) -> str:
    return f"{rational(a)} / {rational(b)} = {rational(Fraction(a) / b)}"
