"""CLEVR-Math's questions, each drawn for an answer that it is to have.

A family draws the question, how many objects there are, and which of them it is about; a scene is
then filled accordingly. So answers are balanced without drawing scenes in vain.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reasonrft.worlds.counting.drafts import EVERYTHING, Draft, Group, Question, Source
from reasonrft.worlds.counting.words import ATTRIBUTES, Description

MOST = 10
"""The greatest answer of CLEVR-Math, and the most objects of its scenes."""


def _addition(source: Source, answer: int, least: int, verb: str) -> Draft:
    """Add X like these: how many like these are there?"""
    kind = source.some(ATTRIBUTES)
    low, high = source.objects
    total = source.rng.randint(max(low, (answer + 1) // 2), high)
    there = source.few(max(least, answer - total), min(answer - 1, total))
    added = answer - there
    text = f"Add {added} {source.phrase(kind)}. How many {source.phrase(kind)} {verb}?"
    groups = Group(there, kind), Group(total - there, EVERYTHING, (kind,))
    return Draft(Question(text, kind, change=added), groups)


def _addition_0(source: Source, answer: int) -> Draft:
    return _addition(source, answer, 1, "are left")


def _addition_1(source: Source, answer: int) -> Draft:
    return _addition(source, answer, 0, "exist")


def _addition_2(source: Source, answer: int) -> Draft:
    """Add X: how many objects exist?"""
    low, high = source.objects
    total = source.rng.randint(max(low, (answer + 1) // 2), min(high, answer - 1))
    added = answer - total
    text = f"Add {added} {source.phrase(source.some(ATTRIBUTES))}. How many objects exist?"
    return Draft(Question(text, EVERYTHING, change=added), (Group(total, EVERYTHING),))


def _all_of_a_shape(source: Source, answer: int, gone: Description) -> Draft:
    """Subtract all of a shape that are also something else: how many of the shape are left?"""
    shape = {"shape": gone["shape"]}
    text = f"Subtract all {source.phrase(gone)}. How many {source.phrase(shape)} are left?"
    total = source.size(answer + 1)
    off = source.few(1, total - answer)
    groups = (
        Group(answer, shape, (gone,)),
        Group(off, gone),
        Group(total - answer - off, EVERYTHING, (shape,)),
    )
    return Draft(Question(text, shape, (gone,)), groups)


def _subtraction_0(source: Source, answer: int) -> Draft:
    return _all_of_a_shape(source, answer, source.described("color", "shape"))


def _subtraction_1(source: Source, answer: int) -> Draft:
    gone = source.some(ATTRIBUTES[:-1]) | source.described("shape")
    return _all_of_a_shape(source, answer, gone)


def _subtraction_2(source: Source, answer: int) -> Draft:
    """Subtract X of a colour and shape: how many objects are left?"""
    kind = source.described("color", "shape")
    total = source.size(answer)
    gone = total - answer
    text = f"Subtract {gone} {source.phrase(kind)}. How many objects are left?"
    there = source.few(gone, total)
    groups = Group(there, kind), Group(total - there, EVERYTHING, (kind,))
    return Draft(Question(text, EVERYTHING, change=-gone), groups)


def _subtraction_3(source: Source, answer: int) -> Draft:
    """How many of a colour and shape must go to leave X?"""
    kind = source.described("color", "shape")
    left = source.few(1, source.objects[1] - answer)
    phrases = [source.phrase(kind) for _ in range(2)]
    text = source.rng.choice(
        [
            f"How many {phrases[0]} must be subtracted to get {left} {phrases[1]}?",
            f"Subtract all {phrases[0]}. "
            f"How many were subtracted if there are {left} {phrases[1]} left?",
        ]
    )
    return Draft(Question(text, kind, change=-left), _so_many(source, answer + left, kind))


def _subtraction_4(source: Source, answer: int) -> Draft:
    """Subtract all of a shape: how many objects are left?"""
    shape = source.described("shape")
    text = f"Subtract all {source.phrase(shape)}. How many objects are left?"
    total = source.size(answer + 1)
    groups = Group(answer, EVERYTHING, (shape,)), Group(total - answer, shape)
    return Draft(Question(text, EVERYTHING, (shape,)), groups)


def _subtraction_5(source: Source, answer: int) -> Draft:
    """Subtract X of a shape: how many of it are left?"""
    shape = source.described("shape")
    gone = source.few(1, source.objects[1] - answer)
    text = f"Subtract {gone} {source.phrase(shape)}. How many {source.phrase(shape)} are left?"
    return Draft(Question(text, shape, change=-gone), _so_many(source, answer + gone, shape))


def _multihop(source: Source, answer: int) -> Draft:
    """Subtract all of these and all of those, which may overlap: how many objects are left?"""
    first, second = source.some(ATTRIBUTES), source.some(ATTRIBUTES)
    text = f"Subtract all {source.phrase(first)}. Subtract all {source.phrase(second)}. "
    text += "How many objects are left?"
    kinds = [first, second]
    if all(second.get(key, value) == value for key, value in first.items()):
        kinds.append(first | second)
    total = source.size(answer)
    gone = [Group(1, source.rng.choice(kinds)) for _ in range(total - answer)]
    groups = Group(answer, EVERYTHING, (first, second)), *gone
    return Draft(Question(text, EVERYTHING, (first, second)), groups)


def _adversarial_0(source: Source, answer: int) -> Draft:
    """Subtract all of these and, of another shape, of those: how many of the first shape?"""
    first = source.described("color", "shape")
    second = {"color": source.value("color"), "shape": source.value("shape", first["shape"])}
    shape = {"shape": first["shape"]}
    text = f"Subtract all {source.phrase(first)}. Subtract all {source.phrase(second)}. "
    text += f"How many {source.phrase(shape)} are left?"
    total = source.size(answer)
    off = source.few(0, total - answer)
    lure = source.few(0, min(2, total - answer - off))
    groups = (
        Group(answer, shape, (first,)),
        Group(off, first),
        Group(lure, second),
        Group(total - answer - off - lure, EVERYTHING, (shape,)),
    )
    return Draft(Question(text, shape, (first, second)), groups)


def _adversarial_1(source: Source, answer: int) -> Draft:
    """Subtract all of these: how many of those, of another shape, are left?"""
    first = source.described("color", "shape")
    second = {"color": source.value("color"), "shape": source.value("shape", first["shape"])}
    text = f"Subtract all {source.phrase(first)}. How many {source.phrase(second)} are left?"
    total = source.size(answer)
    lure = source.few(0, min(3, total - answer))
    groups = (
        Group(answer, second),
        Group(lure, first),
        Group(total - answer - lure, EVERYTHING, (second,)),
    )
    return Draft(Question(text, second, (first,)), groups)


def _so_many(source: Source, number: int, kind: Description) -> tuple[Group, ...]:
    """A scene with so many of a kind."""
    rest = source.size(number) - number
    return Group(number, kind), Group(rest, EVERYTHING, (kind,))


@dataclass(frozen=True, slots=True)
class Family:
    """One of CLEVR-Math's templates with its number."""

    template: str
    number: int
    draw: Callable[[Source, int], Draft]
    answers: Callable[[int, int], range]
    """Answers that can come out with so many objects at least and at most."""

    @property
    def name(self) -> str:
        return f"{self.template}-{self.number}"


def _taken(least: int, most: int) -> range:
    return range(most + 1)


def _some_taken(least: int, most: int) -> range:
    return range(most)


def _added(fewest: int) -> Callable[[int, int], range]:
    return lambda least, most: range(fewest, min(MOST, 2 * most) + 1)


def _added_to_all(least: int, most: int) -> range:
    return range(least + 1, min(MOST, 2 * most) + 1)


FAMILIES = (
    Family("addition", 0, _addition_0, _added(2)),
    Family("addition", 1, _addition_1, _added(1)),
    Family("addition", 2, _addition_2, _added_to_all),
    Family("subtraction", 0, _subtraction_0, _some_taken),
    Family("subtraction", 1, _subtraction_1, _some_taken),
    Family("subtraction", 2, _subtraction_2, _taken),
    Family("subtraction", 3, _subtraction_3, _some_taken),
    Family("subtraction", 4, _subtraction_4, _some_taken),
    Family("subtraction", 5, _subtraction_5, _some_taken),
    Family("subtraction-multihop", 0, _multihop, _taken),
    Family("adversarial", 0, _adversarial_0, _taken),
    Family("adversarial", 1, _adversarial_1, _taken),
)

TEMPLATES = tuple(dict.fromkeys(family.template for family in FAMILIES))


def find_families(names: Sequence[str]) -> list[Family]:
    """Families by template, such as addition, or by template and number, such as addition-0."""
    known = {name for family in FAMILIES for name in (family.template, family.name)}
    if strange := [name for name in names if name not in known]:
        raise ValueError(f"no family {strange[0]!r}: there are {', '.join(sorted(known))}")
    return [family for family in FAMILIES if {family.template, family.name} & set(names)]
