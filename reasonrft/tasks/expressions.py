"""Bounded arithmetic: reads an expression to its value, and gives up before it gets expensive.

A recursive-descent reader. Depth, digits and exponents have limits, so that no text makes it hang.
"""

import math
import re
from collections.abc import Callable
from fractions import Fraction

MAX_DEPTH = 24
MAX_EXPONENT = 64
MAX_DIGITS = 40


def evaluate(text: str) -> Fraction | float:
    """The value of an expression, exact where it is rational, or `Unreadable`."""
    return _Expression(text).value()


class Unreadable(Exception):
    """The text is not one number."""


Value = Fraction | float

_TOKEN = re.compile(r"\s*(\d+\.?\d*(?:[eE][+-]?\d{1,3})?|\.\d+|[a-z]+|\*\*|[-+*/^(){}\[\]])")
_CONSTANTS = {"pi": math.pi, "e": math.e}
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "log": math.log,
}
_CLOSING = {"(": ")", "{": "}", "[": "]"}


class _Expression:
    """expression := term (± term)*; term := power ([*/]? power)*; power := ± atom (^ power)?"""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.at = 0
        self.depth = 0

    def value(self) -> Value:
        result = self.expression()
        if self.at != len(self.tokens):
            raise Unreadable
        return result

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def expression(self) -> Value:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable
        result = self.term()
        while self.peek() in ("+", "-"):
            result = result + self.term() if self.take() == "+" else result - self.term()
        self.depth -= 1
        return result

    def term(self) -> Value:
        result = self.power()
        while (token := self.peek()) and token not in "+-)}]":
            if token in ("*", "/"):
                self.take()
                factor = self.power()
                result = result * factor if token == "*" else result / factor
            elif token[0].isdigit() or token[0] == ".":
                raise Unreadable  # two numbers side by side are two answers, not a product
            else:
                result = result * self.power()
        return result

    def power(self) -> Value:
        if self.peek() in ("-", "+"):
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise Unreadable
            result = -self.power() if self.take() == "-" else self.power()
            self.depth -= 1
            return result
        base = self.atom()
        if self.peek() in ("^", "**"):
            self.take()
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise Unreadable
            base = _raise_to(base, self.power())
            self.depth -= 1
        return base

    def atom(self) -> Value:
        token = self.take()
        if token[:1].isdigit() or token[:1] == ".":
            return _literal(token)
        if token in _CLOSING:
            result = self.expression()
            if self.take() != _CLOSING[token]:
                raise Unreadable
            return result
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        if token == "frac":
            return self.group() / self.group()
        if token == "sqrt":
            degree = self.group("[") if self.peek() == "[" else Fraction(2)
            return _root(self.group() if self.peek() in ("{", "(") else self.atom(), degree)
        if token in _FUNCTIONS:
            return _FUNCTIONS[token](float(self.group()))
        raise Unreadable

    def group(self, bracket: str = "{(") -> Value:
        if not self.peek() or self.peek() not in bracket:
            raise Unreadable
        return self.atom()


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise Unreadable
        tokens.append(match[1])
        at = match.end()
    return tokens


def _literal(token: str) -> Fraction:
    if len(token) > MAX_DIGITS:
        raise Unreadable
    mantissa, _, exponent = token.lower().partition("e")
    if exponent and abs(int(exponent)) > MAX_EXPONENT:
        raise Unreadable
    return Fraction(mantissa.rstrip(".")) * Fraction(10) ** int(exponent or 0)


def _raise_to(base: Value, exponent: Value) -> Value:
    if not -MAX_EXPONENT <= exponent <= MAX_EXPONENT:
        raise Unreadable
    if isinstance(base, Fraction) and exponent == int(exponent):
        if base.numerator.bit_length() + base.denominator.bit_length() > 512:
            raise Unreadable
        return base ** int(exponent)
    if base <= 0:
        raise Unreadable
    return math.pow(base, exponent)


def _root(value: Value, degree: Value) -> Value:
    if value < 0 or not 1 <= degree <= MAX_EXPONENT:
        raise Unreadable
    root = float(value) ** (1 / float(degree))
    nearest = Fraction(round(root))
    if isinstance(value, Fraction) and degree == int(degree) and nearest ** int(degree) == value:
        return nearest
    return root
