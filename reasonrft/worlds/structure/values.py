"""Exact values that answers and labels have: c√r or c√r π with a rational c; and linear labels."""

import math
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Value:
    """coefficient * √radicand, times π where said; the radicand is square-free."""

    coefficient: Fraction
    radicand: int = 1
    pi: bool = False

    def __float__(self) -> float:
        value = float(self.coefficient) * math.sqrt(self.radicand)
        return value * math.pi if self.pi else value

    def times(self, factor: Fraction | int) -> "Value":
        return Value(self.coefficient * factor, self.radicand, self.pi)

    def plus(self, amount: Fraction | int) -> "Value":
        """Another value of the same kind: the coefficient moves."""
        return Value(self.coefficient + amount, self.radicand, self.pi)

    def __str__(self) -> str:
        """As drawings and chains write it: 14, 4.5, 7/3, 2√3, 14π, 5√3/2."""
        root = f"√{self.radicand}" if self.radicand > 1 else ""
        tail = root + ("π" if self.pi else "")
        if not tail:
            return rational(self.coefficient)
        top, bottom = self.coefficient.numerator, self.coefficient.denominator
        sign, top = ("-", -top) if top < 0 else ("", top)
        return sign + ("" if top == 1 else str(top)) + tail + (f"/{bottom}" if bottom > 1 else "")

    def latex(self) -> str:
        """As Geometry3K writes it: 2\\sqrt{3}, 14\\pi, \\frac{7}{3}."""
        tail = f"\\sqrt{{{self.radicand}}}" if self.radicand > 1 else ""
        tail += "\\pi" if self.pi else ""
        top, bottom = self.coefficient.numerator, self.coefficient.denominator
        if not tail and (bottom == 1 or _decimal(self.coefficient)):
            return rational(self.coefficient)
        head = tail if tail and top == 1 else f"{top}{tail}"
        return head if bottom == 1 else f"\\frac{{{head}}}{{{bottom}}}"


def whole(number: int | Fraction) -> Value:
    return Value(Fraction(number))


def root(square: int | Fraction) -> Value:
    """The square root of a positive rational, with the squares taken out."""
    square = Fraction(square)
    inside = square.numerator * square.denominator
    outside = 1
    for factor in range(2, math.isqrt(inside) + 1):
        while inside % (factor * factor) == 0:
            inside //= factor * factor
            outside *= factor
    return Value(Fraction(outside, square.denominator), inside)


def rational(number: Fraction | int) -> str:
    """4, 4.5 or 7/3: a decimal where one with two places is exact."""
    number = Fraction(number)
    return (_decimal(number) or str(number)) if number.denominator > 1 else str(number.numerator)


def _decimal(number: Fraction) -> str:
    if 100 % number.denominator:
        return ""
    cents = abs(number.numerator) * (100 // number.denominator)
    text = f"{cents // 100}.{cents % 100:02d}".rstrip("0").rstrip(".")
    return f"-{text}" if number < 0 else text


@dataclass(frozen=True, slots=True)
class Linear:
    """A label such as 2x-14: factor * name + shift."""

    factor: int
    shift: int
    name: str

    def at(self, value: Fraction | int) -> Fraction:
        return self.factor * Fraction(value) + self.shift

    def __str__(self) -> str:
        head = self.name if self.factor == 1 else f"{self.factor}{self.name}"
        return head + (f"{self.shift:+d}" if self.shift else "")

    def spaced(self) -> str:
        """As chains write it: 2x - 14."""
        return str(self).replace("+", " + ").replace("-", " - ")
