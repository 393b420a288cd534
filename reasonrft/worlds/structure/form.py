"""The same puzzle asked for a number, or for the letter of a choice."""

import random
from dataclasses import dataclass

from reasonrft.worlds.structure.chain import Chain
from reasonrft.worlds.structure.options import LAYOUTS, LETTERS, listing, offer
from reasonrft.worlds.structure.puzzle import Puzzle
from reasonrft.worlds.structure.values import Value


@dataclass(frozen=True, slots=True)
class Form:
    """A puzzle with the words in which it is put."""

    puzzle: Puzzle
    question: str
    answer: str
    choices: tuple[str, ...] = ()


def as_number(puzzle: Puzzle, ood: bool) -> Form:
    """Ask for the value itself."""
    answer = str(puzzle.answer)
    puzzle.chain.say(
        f"So the answer is {answer}",
        f"The answer is {answer}",
        f"That gives {answer}, so the answer is {answer}",
        compact=f"answer {answer}",
    )
    return Form(puzzle, puzzle.question, written(puzzle.answer, ood))


def as_choice(puzzle: Puzzle, letter: str, ood: bool, rng: random.Random) -> Form:
    """List choices with the answer at this letter; Geometry3K lists them in rising order."""
    place = LETTERS.index(letter)
    rising = ood or rng.random() < 0.5
    values = offer(puzzle.answer, puzzle.mistakes, puzzle.options, place, rising, rng)
    unit = "" if ood or rng.random() < 0.5 else puzzle.unit
    choices = tuple(written(value, ood) + unit for value in values)
    layout = LAYOUTS[0] if ood else rng.choice(LAYOUTS)
    question = f"{puzzle.question}\n{listing(choices, layout, lines=ood)}"
    _conclude(puzzle.chain, str(puzzle.answer), letter)
    return Form(puzzle, question, letter, choices)


def _conclude(chain: Chain, answer: str, letter: str) -> None:
    chain.say(
        f"{answer} is choice {letter}",
        f"So the answer is {answer}, which is choice {letter}",
        f"Among the choices, {answer} is {letter}",
        compact=f"{answer} is {letter}",
    )


def written(value: Value | str, latex: bool) -> str:
    return value.latex() if latex and isinstance(value, Value) else str(value)
