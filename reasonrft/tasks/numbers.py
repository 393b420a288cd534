"""Reading one number, as people and models write it: 3, 1,000, -2.50, 1/2, 14π, 2\\sqrt{3} cm.

A recursive-descent reader over a normalised string. It evaluates nothing but bounded arithmetic,
so that no text can make it hang, raise or return a number that is not finite.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

MAX_LENGTH = 200
MAX_DEPTH = 24
MAX_EXPONENT = 64
MAX_DIGITS = 40


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
        value = _Expression(body).value()
        approximate = float(value)
    except (_Unreadable, ArithmeticError, ValueError):
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

_REPLACEMENTS = [
    (r"\\(?:boxed|text|mathrm|mathbf|textbf|displaystyle)\s*(?=\{)", ""),
    (r"\\(?:left|right|displaystyle|,|!|;|:|quad)", ""),
    (r"\\[()\[\]]", " "),
    (r"\\[dtc]frac", r"\\frac"),
    (r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),
    (r"\\sqrt\s*(\d)", r"\\sqrt{\1}"),
    (r"\^\s*\{?\s*(?:\\circ|°|∘)\s*\}?|\\degrees?|\\circ|º|˚", "°"),
    (r"\\(?:cdot|times|ast)|[×·∙⋅]", "*"),
    (r"\\div|÷", "/"),
    (r"\\pi(?![a-zA-Z])|π|𝜋", " pi "),
    (r"√", r"\\sqrt"),
    (r"\\(sqrt|frac|sin|cos|tan)", r" \1"),
    (r"\\approx|≈", "≈"),
    (r"[−–—]", "-"),
    (r"\*\*(.+)\*\*", r"\1"),
    (r"\\?%", "%"),
    (r"\\?\$|`", " "),
    (r"~|\\ ", " "),
    (r"(?<=\d)\s*\{,\}\s*(?=\d{3})", ","),
    (r"²", "^2"),
    (r"³", "^3"),
    (r"½", " 1/2"),
    (r"¼", " 1/4"),
    (r"¾", " 3/4"),
]
_COMPILED = [(re.compile(pattern), replacement) for pattern, replacement in _REPLACEMENTS]
_THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])")
_OPENING = re.compile(
    r"(?:the )?(?:final |correct |right )?(?:answer|option|choice)(?: is| would be)?:? (?=\S)", re.I
)
_LABEL = re.compile(r"(?:[^=≈\d]{1,24}[=≈]|[=≈])\s*")
_MIXED = re.compile(r"(-?)(\d{1,9}) +(\d{1,9}) ?/ ?(\d{1,9})")


def normalise(text: str) -> str:
    """One plain-text spelling for LaTeX, Unicode and Markdown ways of writing a number."""
    for pattern, replacement in _COMPILED:
        text = pattern.sub(replacement, text)
    text = " ".join(text.split())
    while text.startswith("{") and text.endswith("}") and "{" not in text[1:-1]:
        text = text[1:-1].strip()
    for opening in (_OPENING, _LABEL):
        if match := opening.match(text):
            text = text[match.end() :]
    text = _THOUSANDS.sub(lambda match: match[0].replace(",", ""), text)
    text = re.sub(r"(?<=[\w)}°%])\.$", "", text).strip()
    if mixed := _MIXED.fullmatch(text):
        sign, whole, top, bottom = mixed.groups()
        return f"{sign}({whole}+{top}/{bottom})"
    return text


_LENGTH = (
    r"(?:mm|cm|dm|km|m|in|ft|yd|mi|inch(?:es)?|feet|foot|yards?|miles?|units?|"
    r"(?:milli|centi|deci|kilo)?met(?:er|re)s?)"
)
_THINGS = (
    "object|thing|item|cube|block|sphere|ball|cylinder|car|bus|buse|motorbike|aeroplane|airplane|"
    "bicycle|triangle|square|rectangle|circle|figure|side|angle|face|edge|line|dot|point"
)
_UNIT = re.compile(
    rf"\s*\{{?\s*(?:°\s*[CF]?|deg(?:rees?)?|rad(?:ians?)?|%|percent|"
    rf"(?:square|sq\.?|cubic)?\s*{_LENGTH}\s*(?:\^\s*\{{?[23]\}}?)?(?:\s*/\s*(?:s|h|min))?|"
    rf"dollars?|cents?|hours?|hrs?|minutes?|mins?|seconds?|kg|g|grams?|years?|people|"
    rf"(?:{_THINGS})s?(?: (?:are |is )?left)?)\s*\}}?\s*\.?$"
)


def strip_unit(text: str) -> str:
    """Drop one unit or counted noun after a value."""
    match = _UNIT.search(text)
    # A lone unit is not a value, and the tail of a word ("sum", "min") is not a unit.
    if not match or not match.start() or (text[match.start() - 1] + match[0][0]).isalpha():
        return text
    return text[: match.start()].strip()


class _Unreadable(Exception):
    """The text is not one number."""


_Value = Fraction | float

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

    def value(self) -> _Value:
        result = self.expression()
        if self.at != len(self.tokens):
            raise _Unreadable
        return result

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def expression(self) -> _Value:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Unreadable
        result = self.term()
        while self.peek() in ("+", "-"):
            result = result + self.term() if self.take() == "+" else result - self.term()
        self.depth -= 1
        return result

    def term(self) -> _Value:
        result = self.power()
        while (token := self.peek()) and token not in "+-)}]":
            if token in ("*", "/"):
                self.take()
                factor = self.power()
                result = result * factor if token == "*" else result / factor
            elif token[0].isdigit() or token[0] == ".":
                raise _Unreadable  # two numbers side by side are two answers, not a product
            else:
                result = result * self.power()
        return result

    def power(self) -> _Value:
        if self.peek() in ("-", "+"):
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise _Unreadable
            result = -self.power() if self.take() == "-" else self.power()
            self.depth -= 1
            return result
        base = self.atom()
        if self.peek() in ("^", "**"):
            self.take()
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise _Unreadable
            base = _raise_to(base, self.power())
            self.depth -= 1
        return base

    def atom(self) -> _Value:
        token = self.take()
        if token[:1].isdigit() or token[:1] == ".":
            return _literal(token)
        if token in _CLOSING:
            result = self.expression()
            if self.take() != _CLOSING[token]:
                raise _Unreadable
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
        raise _Unreadable

    def group(self, bracket: str = "{(") -> _Value:
        if not self.peek() or self.peek() not in bracket:
            raise _Unreadable
        return self.atom()


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise _Unreadable
        tokens.append(match[1])
        at = match.end()
    return tokens


def _literal(token: str) -> Fraction:
    if len(token) > MAX_DIGITS:
        raise _Unreadable
    mantissa, _, exponent = token.lower().partition("e")
    if exponent and abs(int(exponent)) > MAX_EXPONENT:
        raise _Unreadable
    return Fraction(mantissa.rstrip(".")) * Fraction(10) ** int(exponent or 0)


def _raise_to(base: _Value, exponent: _Value) -> _Value:
    if not -MAX_EXPONENT <= exponent <= MAX_EXPONENT:
        raise _Unreadable
    if isinstance(base, Fraction) and exponent == int(exponent):
        if base.numerator.bit_length() + base.denominator.bit_length() > 512:
            raise _Unreadable
        return base ** int(exponent)
    if base <= 0:
        raise _Unreadable
    return math.pow(base, exponent)


def _root(value: _Value, degree: _Value) -> _Value:
    if value < 0 or not 1 <= degree <= MAX_EXPONENT:
        raise _Unreadable
    root = float(value) ** (1 / float(degree))
    nearest = Fraction(round(root))
    if isinstance(value, Fraction) and degree == int(degree) and nearest ** int(degree) == value:
        return nearest
    return root
