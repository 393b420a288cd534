"""Whether a transformation problem holds: its chain, its states, its answer."""

from collections.abc import Iterator, Sequence
from itertools import product

from reasonrft.oracles.state_changes import (
    DIRECTIONS,
    GRID,
    STAGE,
    STRIDE,
    Item,
    TransformationError,
    run,
)
from reasonrft.oracles.state_records import Sample, answer_of, options_of, question_of, read_sample
from reasonrft.problems import Problem
from reasonrft.tasks.transformation import TransformationTask
from reasonrft.trance_calls import Call, read_calls
from reasonrft.worlds.transformation.rivals import has_rival
from tests.worlds.checkers.transformation_claims import Claims, Unreadable
from tests.worlds.checkers.transformation_reading import read_chain

_SEEN = ("shape", "size", "color", "material")


def check(problem: Problem) -> str | None:
    """What is wrong with a chain of thought, or None: all it says is true and makes the answer."""
    try:
        objects, answer = read_chain(problem.cot)
    except Unreadable as error:
        return str(error)
    sample = read_sample(problem.meta)
    if [claims.number for claims in objects] != list(range(len(sample.initial))):
        return "the chain does not go through the objects in order"
    so_far: list[Call] = []
    for claims in objects:
        so_far += claims.added
        before, after = sample.initial[claims.number], sample.final[claims.number]
        if fault := next(_faults(claims, before, after, so_far), None):
            return f"object {claims.number}: {fault}"
    if answer != so_far:
        return "the answer is not the list of calls"
    return None if answer == read_calls(problem.answer) else "the chain has another answer"


def verify(problem: Problem) -> str | None:
    """What is wrong with a problem of the transformation world, or None."""
    sample = read_sample(problem.meta)
    try:
        reached = run(sample.initial, sample.transformations)
    except TransformationError as error:
        return str(error)
    if reached != sample.final:
        return "the answer does not lead to the final state"
    if problem.question != question_of(sample.initial):
        return "the question does not list the initial state"
    if problem.answer != answer_of(sample.transformations):
        return "the answer does not say what was done"
    if options_of(sample) != problem.meta.get("options", []):
        return "the options are not those that the images leave"
    task = TransformationTask()
    if task.fault(problem) or task.accuracy(f"<answer>{problem.answer}</answer>", problem) != 1:
        return "the task does not accept the answer"
    return _ambiguity(sample) or check(problem)


def _ambiguity(sample: Sample) -> str | None:
    """Where nothing enters or leaves and nothing changes twice, there is one explanation alone."""
    changes = {(change.item, change.attribute) for change in sample.transformations}
    twice = len(changes) < len(sample.transformations)
    if twice or not all(item.visible for item in (*sample.initial, *sample.final)):
        return None
    rival = has_rival(sample.initial, sample.final, len(changes))
    return "other calls explain the images as well" if rival else None


def _faults(claims: Claims, before: Item, after: Item, so_far: Sequence[Call]) -> Iterator[str]:
    """What is not true of what a chain says of one object."""
    looks = _looks(before), _looks(after) if after.visible else None
    if (claims.before, claims.after) != looks:
        yield "it does not look like that"
    if (claims.place, claims.new_place) != (_place(before), _place(after)):
        yield "it is not there"
    yield from _faulty_values(claims, before, after)
    if before.visible and after.visible:
        yield from _faulty_shift(claims)
    else:
        yield from _faulty_crossing(claims, before, after)
    if claims.added != _calls(claims):
        yield "the calls are not what the comparison says"
    if claims.total != len(so_far) or claims.listed not in (None, list(so_far)):
        yield "the list of calls is not what it has grown to"


def _looks(item: Item) -> dict[str, str]:
    return {name: getattr(item, name) for name in _SEEN}


def _place(item: Item) -> tuple[int, int] | None:
    """Row and column: steps from the edge, to the nearest whole one, halves up."""
    if not item.visible:
        return None
    row, column = ((2 * (at + STAGE) + STRIDE) // (2 * STRIDE) for at in item.position)
    return row, column


def _faulty_values(claims: Claims, before: Item, after: Item) -> Iterator[str]:
    if claims.values is None:
        if after.visible:
            yield "its attributes are not compared"
        return
    if not after.visible or set(claims.values) != set(_SEEN):
        yield "its attributes cannot be compared like that"
        return
    for name, values in claims.values.items():
        path = [getattr(before, name), *values]
        if path[-1] != getattr(after, name) or any(map(str.__eq__, path, path[1:])):
            yield f"its {name} did not change like that"


def _faulty_shift(claims: Claims) -> Iterator[str]:
    """Of an object that is on the stage before and after."""
    places = claims.place, claims.new_place
    if claims.shift is None or None in places or claims.ends not in (None, places):
        yield "its places are not compared"
        return
    (top, left), (bottom, right) = (place or (0, 0) for place in places)
    if claims.shift != (bottom - top, right - left):
        yield "its places are not that far apart"
    if claims.shift != _sum(claims) or claims.verb != ("moved" if claims.moves else "stayed"):
        yield "it did not move like that"


def _sum(claims: Claims) -> tuple[int, int]:
    """Where the moves whose steps are told lead."""
    parts = [(steps, *DIRECTIONS[way]) for way, steps in claims.moves if steps is not None]
    return sum(steps * dx for steps, dx, _ in parts), sum(steps * dy for steps, _, dy in parts)


def _faulty_crossing(claims: Claims, before: Item, after: Item) -> Iterator[str]:
    """Of an object that is off the stage before or after."""
    verb = "entered" if after.visible else "left" if before.visible else None
    if claims.verb != verb or claims.shift is not None:
        yield "it did not cross the edge of the stage like that"
    if verb is None:
        if claims.moves or claims.ways:
            yield "nobody sees it move"
        return
    ways = _ways_across(claims, before, after)
    if set(claims.ways) != ways or len(claims.ways) != len(ways):
        yield "other ways lead across the edge of the stage"
    if not claims.moves or claims.moves[0][0] not in ways:
        yield "it did not come or go that way"


def _ways_across(claims: Claims, before: Item, after: Item) -> set[str]:
    """Ways by which an object may have left the stage, or come to where its later moves began."""
    rows, columns = _sum(claims)
    (x, y), sign = (after.position, -1) if after.visible else (before.position, 1)
    x, y = x - rows * STRIDE, y - columns * STRIDE
    return {
        way
        for (way, (dx, dy)), length in product(DIRECTIONS.items(), (STRIDE, 2 * STRIDE))
        if STAGE < max(abs(x + sign * dx * length), abs(y + sign * dy * length)) <= GRID
    }


def _calls(claims: Claims) -> list[Call]:
    """The calls that the claims about an object come to: moves first, then attributes."""
    told = {"position": [way for way, _ in claims.moves], **(claims.values or {})}
    names = ("position", *_SEEN)
    item = str(claims.number)
    return [Call(f"change_{name}", item, value) for name in names for value in told.get(name, [])]
