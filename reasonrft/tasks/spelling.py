"""One plain spelling for the many ways in which LaTeX, Unicode and Markdown write a value."""

import re

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
