"""Reading one choice out of A, B, C, ..., with or without the text of the option."""

import re

from reasonrft.tasks.numbers import numbers_agree, read_number
from reasonrft.tasks.spelling import normalise
from reasonrft.tasks.units import units_agree
from reasonrft.tasks.vocabulary import NO_QUESTION, Vocabulary, after_connectors

MAX_LENGTH = 500

_LAYOUTS = [r"\({}\)", r"{}\.", r"{}:", r"{}\)"]
_LETTERS = "ABCDEFGH"
_LETTER = re.compile(r"\b[A-H]\b")


def choices_in(question: str) -> tuple[str, ...]:
    """Texts of the options that a question lists: "A. 1 B. 2", "(A) slide (B) flip", "A:40°"."""
    _, found, tail = question.rpartition("Choices")
    for layout in _LAYOUTS:
        if len(options := _split(tail if found else question, layout)) > 1:
            return tuple(options)
    return ()


def _split(listing: str, layout: str) -> list[str]:
    options: list[str] = []
    mark = None
    for letter in (*_LETTERS, None):
        begin = mark.end() if mark else 0
        pattern = re.compile(r"(?<![\w.])" + layout.format(letter))
        following = pattern.search(listing, begin) if letter else None
        if mark:
            end = following.start() if following else len(listing)
            options.append(listing[begin:end].strip(" \n\t,;"))
        mark = following
        if mark is None:
            break
    return options


def read_choice(
    text: str, choices: tuple[str, ...] = (), known: Vocabulary = NO_QUESTION
) -> str | None:
    """The one letter that the text chooses, by letter, by option text, or by both if they agree."""
    if len(text) > MAX_LENGTH:
        return None
    body = _CORRECT.sub("", _plain(text))
    readings = [_NAMED.sub("", reading) for reading in after_connectors(body, known)]
    for reading in readings:
        if _LETTER_FIRST.match(reading):
            # "A = B" begins with a letter: what follows is its option, not another choice.
            return _by_letter(reading, choices)
    for reading in readings:
        if letter := _text_then_letter(reading, choices) or option_named(reading, choices, known):
            return letter
    return None


_CORRECT = re.compile(r" is (?:the )?(?:correct|right)(?: (?:answer|option|choice))?$", re.I)
_NAMED = re.compile(r"^(?:(?:the|correct|right|final|answer|option|choice|letter)\s+)+(?=\S)", re.I)
_LETTER_FIRST = re.compile(r"\(?\s*(?:[A-H]\b|[a-h]\s*[=:.)]|[a-h]\W*$)")


def _by_letter(text: str, choices: tuple[str, ...]) -> str | None:
    if match := re.fullmatch(r"\(?\s*([A-Ha-h])\s*[).:]*", text):
        letter = match[1].upper()
        return letter if _within(letter, choices) else None
    match = re.fullmatch(r"\(?([A-Ha-h])\s*(?:[).:,]+\s*|[-=]\s*|\s|(?=\())(\S.*)", text, re.DOTALL)
    if not match:
        return None
    letter, option = match[1].upper(), match[2]
    if option.startswith("(") and option.endswith(")"):
        option = option[1:-1]
    agrees = option_named(option, choices) == letter if choices else not _LETTER.search(option)
    return letter if agrees else None


def _text_then_letter(text: str, choices: tuple[str, ...]) -> str | None:
    """The letter of "40° (B)" and "40°, option B"."""
    match = re.fullmatch(
        r"(.*\S)\s*(?:,\s*|\s\()(?:option |choice )?\(?([A-H])\)*", text, re.DOTALL | re.I
    )
    if not match:
        return None
    letter = match[2].upper()
    return letter if option_named(match[1], choices) == letter else None


def option_named(
    text: str, choices: tuple[str, ...], known: Vocabulary = NO_QUESTION
) -> str | None:
    """The letter of the only option with this text or this value."""
    named = [
        letter
        for letter, choice in zip(_LETTERS, choices, strict=False)
        if _same_option(text, choice, known)
    ]
    return named[0] if len(named) == 1 else None


def _within(letter: str, choices: tuple[str, ...]) -> bool:
    return not choices or _LETTERS.index(letter) < len(choices)


def _same_option(text: str, choice: str, known: Vocabulary) -> bool:
    if _plain(text).casefold() == _plain(choice).casefold():
        return True
    number, other = read_number(text, known), read_number(choice)
    if number is None or other is None or not numbers_agree(number, other):
        return False
    return units_agree(number.unit, other.unit, "")


def _plain(text: str) -> str:
    return normalise(text).strip(" .\"'")
