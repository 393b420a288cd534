"""Reading one choice out of A, B, C, ..., with or without the text of the option."""

import re

from reasonrft.tasks.numbers import numbers_agree, read_number
from reasonrft.tasks.spelling import normalise

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


def read_choice(text: str, choices: tuple[str, ...] = ()) -> str | None:
    """The one letter that the text chooses, by letter, by option text, or by both if they agree."""
    if len(text) > MAX_LENGTH:
        return None
    body = _plain(text)
    if match := re.fullmatch(r"\(?\s*([A-Ha-h])\s*[).:]*", body):
        letter = match[1].upper()
        return letter if _within(letter, choices) else None
    if match := re.fullmatch(r"\(?([A-H])\s*(?:[).:]+\s*|[-=]?\s+)(\S.*)", body, re.DOTALL):
        letter, option = match.groups()
        agrees = option_named(option, choices) == letter if choices else not _LETTER.search(option)
        return letter if agrees else None
    return option_named(body, choices)


def option_named(text: str, choices: tuple[str, ...]) -> str | None:
    """The letter of the only option with this text or this value."""
    named = [
        letter
        for letter, choice in zip(_LETTERS, choices, strict=False)
        if _same_option(text, choice)
    ]
    return named[0] if len(named) == 1 else None


def _within(letter: str, choices: tuple[str, ...]) -> bool:
    return not choices or _LETTERS.index(letter) < len(choices)


def _same_option(text: str, choice: str) -> bool:
    if _plain(text).casefold() == _plain(choice).casefold():
        return True
    number, other = read_number(text), read_number(choice)
    return number is not None and other is not None and numbers_agree(number, other)


def _plain(text: str) -> str:
    return normalise(text).strip(" .\"'")
