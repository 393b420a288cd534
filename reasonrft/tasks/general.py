"""Anybody's checkable questions: numbers, choices, expressions or words."""

import re

from reasonrft.problems import Problem
from reasonrft.symbolic import expressions_agree
from reasonrft.tasks.base import Task
from reasonrft.tasks.choices import choices_in, read_choice
from reasonrft.tasks.numbers import numbers_agree, read_number
from reasonrft.tasks.spelling import normalise
from reasonrft.tasks.units import units_agree
from reasonrft.tasks.vocabulary import Vocabulary, after_connectors, words_of

MAX_LENGTH = 2_000
_LETTER = re.compile(r"\(?[A-H]\)?\.?")
_EXPRESSION = re.compile(r"[A-Za-z0-9\\{}()\[\]^_+\-*/=.,\s|<>!']*[\\^+\-*/=][^=]*")


class GeneralTask(Task):
    """The gold answer decides how an answer is compared: as a choice, a number, or as text."""

    name = "general"
    title = "General"

    def agrees(self, answer: str, problem: Problem) -> bool:
        options = problem.choices or choices_in(problem.question)
        known = words_of(problem.question)
        gold = problem.answer.strip()
        if len(answer) > MAX_LENGTH:
            return answer == gold
        if _LETTER.fullmatch(gold):
            return read_choice(answer, options, known) == read_choice(gold)
        if (number := read_number(gold)) is not None:
            given = read_number(answer, known)
            if given is None:
                return self._chooses(answer, gold, options, known)
            return numbers_agree(given, number) and units_agree(
                given.unit, number.unit, problem.question
            )
        if _words(answer) == _words(gold):
            return True
        if self._chooses(answer, gold, options, known):
            return True
        if any(
            _words(reading) == _words(gold) for reading in after_connectors(_plain(answer), known)
        ):
            return True
        return bool(_EXPRESSION.fullmatch(gold)) and _same_expression(answer, gold)

    @staticmethod
    def _chooses(answer: str, gold: str, options: tuple[str, ...], known: Vocabulary) -> bool:
        """Whether a letter is given where the gold answer is the text of that option."""
        if not options or (letter := read_choice(answer, options, known)) is None:
            return False
        return letter == read_choice(gold, options)


def _plain(text: str) -> str:
    return normalise(text).strip(" .,;:!\"'")


def _words(text: str) -> str:
    return _plain(text).casefold()


_NAME = re.compile(r"\s*(?:[a-zA-Z]|[a-zA-Z]\(\w\))\s*")
_PURE = re.compile(r"[A-Za-z0-9\\{}()\[\]^_+\-*/.\s|!']+")
_FUNCTIONS = frozenset("sin cos tan cot sec csc log ln exp sqrt pi".split())


def _same_expression(answer: str, gold: str) -> bool:
    """Whether an expression, or each side of an equation but a name like f(x), is equal to gold."""
    text = _MARKS.sub(" ", answer.replace("²", "^2").replace("³", "^3"))
    sides = text.strip(" .:\n").split("=") if "=" not in gold else [text]
    if len(sides) > 1 and _NAME.fullmatch(sides[0]):
        sides = sides[1:]
    return all(_is_pure(side, gold) and expressions_agree(side, gold) for side in sides)


_MARKS = re.compile(r"\$|\\boxed(?=\s*\{)|^\W*(?:the )?(?:final )?answer(?: is|:)", re.I)


def _is_pure(text: str, gold: str) -> bool:
    """Whether a text is one expression: no words but functions and those of the gold answer."""
    if text.strip() == gold:
        return True
    words = re.findall(r"(?<!\\)(?<![A-Za-z])[A-Za-z]{2,}", text)
    allowed = {*_FUNCTIONS, *re.findall(r"[A-Za-z]{2,}", gold)}
    plain = text if "," not in gold else text.replace(",", "")
    return (
        bool(_PURE.fullmatch(plain))
        and "\\n" not in text
        and all(word in allowed for word in words)
    )
