"""Chains of thought for transformations: the images compared object by object.

The stage has five rows and five columns, and a step is as long as a row is deep: so that a move can
be read off two places, whatever the rounding.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reasonrft.oracles.state_changes import (
    STAGE,
    STRIDE,
    Item,
    Transformation,
    admissible,
    transform,
)
from reasonrft.oracles.state_records import Sample, answer_of

Style = Literal["words", "compact"]
SEEN = ("shape", "size", "color", "material")
"""In the order of the question."""

_INTRO = (
    "Rows count from 0 (far) to 4 (near) and columns from 0 (left) to 4 (right), as the first "
    "picture shows the stage.",
    "I divide the stage as the first picture shows it: rows 0 (far) to 4 (near), columns 0 (left) "
    "to 4 (right).",
    "Let rows run from 0 (far) to 4 (near) and columns from 0 (left) to 4 (right) in the first "
    "picture.",
)
_BEFORE = (
    ("Object {number} is the {name} in {place}.", "Object {number}, the {name}, is missing."),
    (
        "First picture: object {number}, the {name}, in {place}.",
        "First picture: object {number}, the {name}, missing.",
    ),
    (
        "I find object {number}, the {name}, in {place}.",
        "I do not find object {number}, the {name}.",
    ),
)
_AFTER = (
    ("In the second picture it is a {name} in {place}.", "In the second picture it is missing."),
    ("Second picture: a {name} in {place}.", "Second picture: missing."),
    ("Afterwards I find a {name} in {place}.", "Afterwards I do not find it."),
)
_ATTRIBUTE = (
    (", ", "{name} same", "{name} now {values}"),
    (", ", "the {name} stays", "the {name} becomes {values}"),
    ("; ", "{name}: unchanged", "{name}: changed to {values}"),
)
_SHIFT = (
    "Rows {rows:+d}, columns {columns:+d}: {moves}.",
    "From row {top} to {bottom} is {rows:+d}, from column {left} to {right} is {columns:+d}: "
    "{moves}.",
    "{bottom} - {top} = {rows} rows and {right} - {left} = {columns} columns: {moves}.",
)
_CALLS = (
    ("That adds {new}, so {total} so far: {calls}.", "That adds nothing, so {total} so far."),
    ("New: {new}; all {total}: {calls}.", "New: nothing; still {total}."),
    ("I note {new} and have {total}: {calls}.", "I note nothing and still have {total}."),
)
_ANSWER = ("So the answer is {calls}.", "Together: {calls}.", "The changes are {calls}.")


@dataclass(frozen=True, slots=True)
class Story:
    """What became of one object, and which ways each of its changes may have gone."""

    number: int
    before: Item
    after: Item
    changes: tuple[Transformation, ...]
    ways: tuple[tuple[str, ...], ...]

    def values(self, attribute: str) -> list[str]:
        """What an attribute became, one change after another."""
        return [change.value for change in self.changes if change.attribute == attribute]


def write_chain(sample: Sample, style: Style, rng: random.Random, places: bool = True) -> str:
    """The comparison of two images that ends with the answer; the wording is random.

    Without places, compact chains leave out where objects stand, as where nothing ever moves.
    """
    answer = answer_of(sample.transformations)
    if style == "compact":
        lines = [_compact(story, total, places) for story, total in _tallied(sample)]
        return "\n".join([*lines, f"answer {answer}"])
    sentences = (_BEFORE, _AFTER, _ATTRIBUTE, _SHIFT, _CALLS)
    voice = [rng.randrange(len(ways)) for ways in sentences]
    lines = [_worded(story, total, sample, voice) for story, total in _tallied(sample)]
    last = rng.choice(_ANSWER).format(calls=answer)
    return "\n".join([rng.choice(_INTRO), *lines, last])


def cell(item: Item) -> tuple[int, int]:
    """Row and column of an object on the stage, 0 to 4 each."""
    x, y = ((place + STAGE + STRIDE // 2) // STRIDE for place in item.position)
    return x, y


def name_of(item: Item) -> str:
    """An object as a noun phrase: small cyan glass cube."""
    return f"{item.size} {item.color} {item.material} {item.shape}"


def _tallied(sample: Sample) -> list[tuple[Story, int]]:
    """The objects in order, each with the number of calls up to and with it."""
    ways, state = [], sample.initial
    for change in sample.transformations:
        ways.append(tuple(dict.fromkeys(way.value for way in admissible(state, change))))
        state = transform(state, change)
    stories, total = [], 0
    for number, (before, after) in enumerate(zip(sample.initial, sample.final, strict=True)):
        steps = [i for i, change in enumerate(sample.transformations) if change.item == number]
        changes = tuple(sample.transformations[step] for step in steps)
        total += len(steps)
        stories.append(
            (Story(number, before, after, changes, tuple(ways[step] for step in steps)), total)
        )
    return stories


def _worded(story: Story, total: int, sample: Sample, voice: Sequence[int]) -> str:
    """One object's sentences."""
    before, after, attribute, shift, calls = voice
    first, last = story.before, story.after
    text = [
        _BEFORE[before][not first.visible].format(
            number=story.number, name=name_of(first), place=_place(first)
        ),
        _AFTER[after][not last.visible].format(name=name_of(last), place=_place(last)),
    ]
    if last.visible:
        text.append(_worded_attributes(story, attribute))
    if first.visible or last.visible:
        text.append(_worded_moves(story, shift))
    new, listed = answer_of(story.changes), answer_of(sample.transformations[:total])
    text.append(_CALLS[calls][not new].format(new=new, total=total, calls=listed))
    return " ".join(text)


def _place(item: Item) -> str:
    row, column = cell(item)
    return f"row {row}, column {column}"


def _worded_attributes(story: Story, voice: int) -> str:
    joint, same, changed = _ATTRIBUTE[voice]
    parts = [
        changed.format(name=name, values=" then ".join(values))
        if (values := story.values(name))
        else same.format(name=name)
        for name in SEEN
    ]
    text = joint.join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _worded_moves(story: Story, voice: int) -> str:
    moves = [
        f"{change.value} by {change.steps} step{'s' * (change.steps > 1)}"
        for change in story.changes
        if change.attribute == "position"
    ]
    if not (story.before.visible and story.after.visible):
        verb = "left" if story.before.visible else "entered"
        ways, *later = " or ".join(story.ways[0]), *moves[1:]
        more = "".join(f", then {move}" for move in later)
        return f"It {verb} the stage: {ways} would do, I take {story.changes[0].value}{more}."
    (top, left), (bottom, right) = cell(story.before), cell(story.after)
    outcome = f"it moved {' then '.join(moves)}" if moves else "it stayed"
    return _SHIFT[voice].format(
        top=top,
        left=left,
        bottom=bottom,
        right=right,
        rows=bottom - top,
        columns=right - left,
        moves=outcome,
    )


def _compact(story: Story, total: int, places: bool) -> str:
    """One object's line, of few distinct words."""
    parts = [f"{story.number} {_compact_item(story.before, True, places)}"]
    parts.append(_compact_item(story.after, story.after.visible, places))
    if places and (story.before.visible or story.after.visible):
        parts.append(_compact_moves(story))
    if story.after.visible:
        values = [(name, "/".join(story.values(name)) or "same") for name in SEEN]
        parts.append(" ".join(f"{name} {value}" for name, value in values))
    parts.append(f"add {answer_of(story.changes) or 'none'}")
    parts.append(f"total {total}")
    return " ; ".join(parts)


def _compact_item(item: Item, named: bool, places: bool) -> str:
    if not places:
        return name_of(item)
    place = "r{} c{}".format(*cell(item)) if item.visible else "off"
    return f"{name_of(item)} {place}" if named else place


def _compact_moves(story: Story) -> str:
    moves = [change for change in story.changes if change.attribute == "position"]
    texts = [f"{change.value} {change.steps}" for change in moves]
    if not (story.before.visible and story.after.visible):
        verb = "out" if story.before.visible else "in"
        return " ".join([verb, "/".join(story.ways[0]), moves[0].value, *texts[1:]])
    rows, columns = (to - at for at, to in zip(cell(story.before), cell(story.after), strict=True))
    return f"{rows:+d} {columns:+d} {' '.join(texts) or 'stay'}"
