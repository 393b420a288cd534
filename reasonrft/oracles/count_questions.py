"""Answers of CLEVR-Math questions, from their text and a scene's objects.

A question is a small program: steps that add or subtract, then what is to be counted. Objects
that a step adds are known only by the step's own words, so that some counts are unknowable.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_VEHICLES = {
    "car": "suv wagon minivan sedan truck addi",
    "bus": "articulated regular double school",
    "motorbike": "chopper dirtbike scooter cruiser",
    "aeroplane": "jet fighter biplane airliner",
    "bicycle": "road utility mountain tandem",
}
CATEGORIES = {kind: category for category, kinds in _VEHICLES.items() for kind in kinds.split()}
"""Super-CLEVR's kinds of vehicle, and what a question calls them."""

_VALUES = {
    "size": "large=big small=tiny",
    "color": "gray red blue green brown purple cyan yellow",
    "material": "metal=metallic=shiny rubber=matte",
    "shape": "sphere=ball cube=block cylinder car bus motorbike aeroplane=airplane bicycle",
}
_KINDS = ("suv", "wagon", "minivan", "sedan", "truck", "jet", "fighter", "biplane", "airliner")

Description = dict[str, str]
"""What is known of an object, or asked of it: color, size, material, shape, kind."""


def _words(attribute: str) -> dict[str, Description]:
    groups = (group.split("=") for group in _VALUES[attribute].split())
    return {word: {attribute: words[0]} for words in groups for word in words}


def _plural(nouns: Mapping[str, Description]) -> dict[str, Description]:
    """Nouns as the generators print them: also "1 spheres", and the naive "buss"."""
    plurals = {form: meaning for noun, meaning in nouns.items() for form in (noun, noun + "s")}
    return plurals | {"buses": nouns["bus"]}


_ADJECTIVES = _words("size") | _words("color") | _words("material")
_NOUNS = _plural(
    _words("shape")
    | {kind: {"shape": CATEGORIES[kind], "kind": kind} for kind in _KINDS}
    | {"thing": {}, "object": {}}
)


@dataclass(frozen=True, slots=True)
class Step:
    """Add or subtract so many objects; subtracting None means all."""

    number: int | None
    of: Description


@dataclass(frozen=True, slots=True)
class Program:
    """What a question says to do, then what to count, and how many are to be taken off."""

    steps: tuple[Step, ...] = ()
    asked: Description = field(default_factory=dict)
    goal: int = 0

    def run(self, objects: Iterable[Mapping[str, Any]]) -> int | None:
        """The answer on a scene, or None where it cannot be known."""
        crowd = [(describe(item), 1) for item in objects]
        for step in self.steps:
            there = _count(crowd, step.of)
            if step.number is None and there is not None:
                crowd = [(item, number) for item, number in crowd if not fits(item, step.of)]
            elif step.number is not None and (step.number > 0 or _enough(there, -step.number)):
                crowd.append((step.of, step.number))
            else:
                return None
        total = _count(crowd, self.asked)
        return total - self.goal if total is not None and _enough(total, self.goal) else None


def derive_count(question: str, objects: Sequence[Mapping[str, Any]]) -> int | None:
    """The answer of a CLEVR-Math question, or None if the text is none or cannot be answered."""
    program = parse_question(question)
    return program.run(objects) if program else None


def parse_question(question: str) -> Program | None:
    """The program of a question, or None if its text is not of CLEVR-Math's families."""
    *sentences, last = [part.strip() for part in re.split(r"\.\s+", question.strip().lower())]
    match = next((match for form in _QUERIES if (match := form.fullmatch(last))), None)
    if match is None:
        return None
    try:
        steps = tuple(_step(sentence) for sentence in sentences)
        return _program(steps, match.groupdict())
    except _Unreadable:
        return None


def describe(item: Mapping[str, Any]) -> Description:
    """What a scene says of an object; a vehicle's kind gives its category."""
    known = {key: str(item[key]) for key in ("color", "size", "material", "shape") if key in item}
    kind = known.get("shape", "")
    return known | {"shape": CATEGORIES[kind], "kind": kind} if kind in CATEGORIES else known


def fits(item: Description, asked: Description) -> bool | None:
    """Whether an object is one of those asked for, or None where too little is known of it."""
    if any(key in item and item[key] != value for key, value in asked.items()):
        return False
    return True if asked.keys() <= item.keys() else None


class _Unreadable(Exception):
    """The text is not of these families."""


_QUERIES = [
    re.compile(r"how many (?P<asked>[a-z ]+) (?:are left|exist)\?"),
    re.compile(
        r"how many (?P<asked>[a-z ]+) must be subtracted "
        r"to get (?P<goal>\d{1,3}) (?P<left>[a-z ]+)\?"
    ),
    re.compile(
        r"how many were subtracted if there are (?P<goal>\d{1,3}) (?P<asked>[a-z ]+) left\?"
    ),
]
_STEP = re.compile(r"(?:(add) (\d{1,3})|subtract (?:all|(\d{1,3}))) ([a-z ]+)")


def _program(steps: tuple[Step, ...], parts: dict[str, str]) -> Program:
    asked = _noun_phrase(parts["asked"])
    if "goal" not in parts:
        return Program(steps, asked) if steps else _unreadable()
    # "Subtract all red balls. How many were subtracted if there are 2 red balls left?" does not
    # mean all: the difference is asked for.
    told = [step.of for step in steps]
    told += [_noun_phrase(parts["left"])] if "left" in parts else []
    return Program((), asked, int(parts["goal"])) if told == [asked] else _unreadable()


def _step(sentence: str) -> Step:
    match = _STEP.fullmatch(sentence)
    if not match:
        raise _Unreadable
    add, more, fewer, phrase = match.groups()
    number = int(more) if add else -int(fewer) if fewer else None
    return Step(number, _noun_phrase(phrase))


def _noun_phrase(phrase: str) -> Description:
    *adjectives, noun = phrase.split() or [""]
    meanings = [_ADJECTIVES.get(word) for word in adjectives] + [_NOUNS.get(noun)]
    found: Description = {}
    for meaning in meanings:
        if meaning is None or found.keys() & meaning.keys():
            raise _Unreadable
        found |= meaning
    return found


def _count(crowd: Sequence[tuple[Description, int]], asked: Description) -> int | None:
    verdicts = [(fits(item, asked), number) for item, number in crowd]
    if any(verdict is None and number for verdict, number in verdicts):
        return None
    return sum(number for verdict, number in verdicts if verdict)


def _enough(there: int | None, wanted: int) -> bool:
    return there is not None and there >= wanted


def _unreadable() -> Program:
    raise _Unreadable
