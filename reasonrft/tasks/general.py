"""Anybody's checkable questions: numbers, choices, expressions or words."""

import re

from reasonrft.problems import Problem
from reasonrft.symbolic import expressions_agree
from reasonrft.tasks.base import Task
from reasonrft.tasks.choices import choices_in, read_choice
from reasonrft.tasks.numbers import numbers_agree, read_number
from reasonrft.tasks.spelling import normalise

MAX_LENGTH = 2_000
_LETTER = re.compile(r"\(?[A-H]\)?\.?")
_EXPRESSION = re.compile(r"[A-Za-z0-9\\{}()\[\]^_+\-*/=.,\s|<>!']*[\\^+\-*/=][^=]*")


class GeneralTask(Task):
    """The gold answer decides how an answer is compared: as a choice, a number, or as text."""

    name = "general"
    title = "General"

    def agrees(self, answer: str, problem: Problem) -> bool:
        options = problem.choices or choices_in(problem.question)
        gold = problem.answer.strip()
        if len(answer) > MAX_LENGTH:
            return answer == gold
        if _LETTER.fullmatch(gold):
            return read_choice(answer, options) == read_choice(gold)
        if (number := read_number(gold)) is not None:
            given = read_number(answer)
            if given is not None:
                return numbers_agree(given, number)
            return self._chooses(answer, gold, options)
        if _words(answer) == _words(gold):
            return True
        if self._chooses(answer, gold, options):
            return True
        return bool(_EXPRESSION.fullmatch(gold)) and expressions_agree(answer, gold)

    @staticmethod
    def _chooses(answer: str, gold: str, options: tuple[str, ...]) -> bool:
        """Whether a letter is given where the gold answer is the text of that option."""
        if not options or (letter := read_choice(answer, options)) is None:
            return False
        return letter == read_choice(gold, options)


def _words(text: str) -> str:
    return normalise(text).strip(" .,;:!\"'").casefold()
