"""One plain spelling for the many ways in which LaTeX, Unicode and Markdown write a value."""

import re

_REPLACEMENTS = [
    (r"\\(?:boxed|text|mathrm|mathbf|textbf)\s*\{([^{}]*)\}", r" \1 "),
    (r"\\(?:boxed|text|mathrm|mathbf|textbf|displaystyle)\s*(?=\{)", ""),
    (r"^```\w*\s|```$", " "),
    (r"~=|=~|!=|=/=|<>|\\neq?(?![a-z])", "≠"),
    (r"\u2019", "'"),
    (r"n't\b", " not"),
    (r"(?<=\b[Ii]t)'s\b", " is"),
    (r"\u3002|\uff0e", "."),
    (r"\uff0c|\uff1b", ","),
    (r"\uff1a", ":"),
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
    (r"\*\*(?![\d(])|(?<![\w)])\*\*", " "),
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
_MIXED = re.compile(
    r"(-?)(?<![\d.])(\d{1,9}) +"
    r"(?:(\d{1,9}) ?/ ?(\d{1,9})|frac\{(\d{1,9})\}\{(\d{1,9})\})(?![\d.])"
)


def normalise(text: str) -> str:
    """One plain-text spelling for LaTeX, Unicode and Markdown ways of writing a number."""
    for pattern, replacement in _COMPILED:
        text = pattern.sub(replacement, text)
    text = " ".join(text.split())
    while text.startswith("{") and text.endswith("}") and "{" not in text[1:-1]:
        text = text[1:-1].strip()
    text = _THOUSANDS.sub(lambda match: match[0].replace(",", ""), text)
    text = re.sub(r"(?<=[\w)}°%])\.$", "", text).strip()
    return _MIXED.sub(_as_sum, text).strip("\"'")


def _as_sum(mixed: re.Match[str]) -> str:
    sign, whole, top, bottom, *latex = mixed.groups()
    return f"{sign}({whole}+{top or latex[0]}/{bottom or latex[1]})"
