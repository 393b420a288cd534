"""Units of measure in several scripts, each spelling under one name."""

import re

_SPELLINGS = {
    "mm": "mm millimeter millimeters millimetre millimetres 毫米",
    "cm": "cm centimeter centimeters centimetre centimetres 厘米 公分",
    "dm": "dm decimeter decimeters decimetre decimetres 分米",
    "m": "m meter meters metre metres 米",
    "km": "km kilometer kilometers kilometre kilometres 千米 公里",
    "in": "in inch inches 英寸",
    "ft": "ft foot feet 英尺",
    "yd": "yd yard yards 码",
    "mi": "mi mile miles 英里",
    "nmi": "nmi 海里",
    "unit": "unit units 单位",
    "°": "° deg degree degrees °c °f 度",
    "rad": "rad radian radians 弧度",
    "%": "% percent",
    "dollar": "dollar dollars 美元",
    "cent": "cent cents",
    "yuan": "yuan 元",
    "h": "h hour hours hr hrs 小时 时",
    "min": "min mins minute minutes 分钟 分",
    "s": "s sec second seconds 秒",
    "day": "day days 天",
    "year": "year years 年",
    "kg": "kg kilogram kilograms 千克 公斤",
    "g": "g gram grams 克",
}
_NAMES = {spelling: name for name, text in _SPELLINGS.items() for spelling in text.split()}
_NAMES["nautical mile"] = _NAMES["nautical miles"] = "nmi"
_LENGTHS = ("mm", "cm", "dm", "m", "km", "in", "ft", "yd", "mi", "nmi", "unit")
_POWERS = {"square": "2", "sq": "2", "sq.": "2", "平方": "2", "cubic": "3", "立方": "3"}
_FIGURES = frozenset({"°", "rad", *_LENGTHS, *(f"{name}^{n}" for name in _LENGTHS for n in "23")})
"""What the sizes of a figure are measured in."""

_ANY = "|".join(re.escape(spelling) for spelling in sorted(_NAMES, key=len, reverse=True))
_UNIT = re.compile(
    rf"\s*(?:(?P<word>square|sq\.?|cubic|平方|立方)\s*)?(?P<name>{_ANY})"
    r"(?:\s*\^\s*\{?(?P<power>[23])\}?)?(?:\s*/\s*(?P<per>h|hour|s|sec|second|min|minute))?$",
    re.I,
)
# Anybody's unit: a word of three letters or more after a space, or of a script that is not Latin.
_UNKNOWN = re.compile(r"\s+([a-zA-Z]{3,20})$|\s*([^\W\da-zA-Z_\u0370-\u03ff]{1,8})$")


def split_unit(text: str) -> tuple[str, str]:
    """A value's text and the name of its unit, or "" without one."""
    match = _UNIT.search(text)
    # A lone unit is not a value, and the tail of a word ("sum", "min") is not a unit.
    if match and match.start() and not _tail_of_word(text, match):
        name = _NAMES[match["name"].lower()]
        power = match["power"] or _POWERS.get((match["word"] or "").lower(), "")
        unit = name + (f"^{power}" if power else "")
        if match["per"]:
            unit += f"/{_NAMES[match['per'].lower()]}"
        return text[: match.start()].strip(), unit
    if (match := _UNKNOWN.search(text)) and match.start():
        return text[: match.start()].strip(), (match[1] or match[2]).lower()
    return text, ""


def _tail_of_word(text: str, match: re.Match[str]) -> bool:
    before, first = text[match.start() - 1], match[0][0]
    return before.isascii() and before.isalpha() and first.isascii() and first.isalpha()


def units_agree(given: str, gold: str, question: str) -> bool:
    """A unit may be left out; one that is given must be the gold answer's, or fit the question."""
    if not given or given == gold:
        return True
    if gold:
        return False
    named = _units_of(question)
    return given in named or (given in _FIGURES and named <= _FIGURES)


def _units_of(question: str) -> set[str]:
    """Units that a question names, in whatever spelling."""
    text = question.lower()[:4_000]
    # A lone letter is a unit only after a number: "a height h" is no hour.
    words = set(re.findall(r"[a-z]{2,}|(?<=\d)[a-z]\b|(?<=\d )[a-z]\b|[^\sa-z]", text))
    named = {name for spelling, name in _NAMES.items() if spelling in words}
    named |= {"dollar", "cent"} if "$" in text else set()
    named |= {"%"} if "percentage" in text else set()
    return named
