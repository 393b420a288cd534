"""Reading chains of thought about transformations, in both styles."""

import re
from collections.abc import Iterable

from reasonrft.trance_calls import Call
from tests.worlds.checkers.transformation_claims import (
    CALLS,
    NAME,
    Claims,
    Move,
    Unreadable,
    calls_in,
    match,
    moves_in,
    name_in,
    need,
    place_in,
)

_PLACE = r"row (?P<row>\d), column (?P<column>\d)"
_CELL = r"r(?P<row>\d) c(?P<column>\d)"
_MOVES = r"(?P<moves>\w+ by \d steps?(?: then \w+ by \d steps?)*)"
_CORNERS = ["0 (far)", "4 (near)", "0 (left)", "4 (right)"]
_BEFORE = (
    rf"Object (?P<number>\d+) is the {NAME} in {_PLACE}",
    rf"(?:First picture: object|I find object) (?P<number>\d+), the {NAME}, in {_PLACE}",
    rf"Object (?P<number>\d+), the {NAME}, is missing",
    rf"First picture: object (?P<number>\d+), the {NAME}, missing",
    rf"I do not find object (?P<number>\d+), the {NAME}",
)
_AFTER = (
    rf"(?:In the second picture it is|Second picture:|Afterwards I find) a {NAME} in {_PLACE}",
    r"In the second picture it is missing|Second picture: missing|Afterwards I do not find it",
)
_SAME = r"(?:the )?(?P<name>\w+)(?:: unchanged| same| stays)"
_CHANGED = r"(?:the )?(?P<name>\w+)(?: now|: changed to| becomes) (?P<values>\w+(?: then \w+)*)"
_SHIFT = (
    r"Rows (?P<rows>[+-]\d), columns (?P<columns>[+-]\d): (?P<rest>.+)",
    r"From row (?P<top>\d) to (?P<bottom>\d) is (?P<rows>[+-]\d), "
    r"from column (?P<left>\d) to (?P<right>\d) is (?P<columns>[+-]\d): (?P<rest>.+)",
    r"(?P<bottom>\d) - (?P<top>\d) = (?P<rows>-?\d) rows and "
    r"(?P<right>\d) - (?P<left>\d) = (?P<columns>-?\d) columns: (?P<rest>.+)",
)
_OUTCOME = r"it (?P<verb>stayed)", rf"it (?P<verb>moved) {_MOVES}"
_CROSSING = (
    r"It (?P<verb>left|entered) the stage: (?P<ways>\w+(?: or \w+)*) would do, "
    rf"I take (?P<way>\w+)(?:, then {_MOVES})?",
)
_SUM = (
    r"That adds (?P<new>nothing), so (?P<total>\d) so far",
    rf"That adds (?P<new>{CALLS}), so (?P<total>\d) so far: (?P<listed>{CALLS})",
    r"New: (?P<new>nothing); still (?P<total>\d)",
    rf"New: (?P<new>{CALLS}); all (?P<total>\d): (?P<listed>{CALLS})",
    r"I note (?P<new>nothing) and still have (?P<total>\d)",
    rf"I note (?P<new>{CALLS}) and have (?P<total>\d): (?P<listed>{CALLS})",
)
_ANSWER = (
    rf"(?:So the answer is|Together:|The changes are) (?P<calls>{CALLS})\.",
    rf"answer (?P<calls>{CALLS})",
)
_COMPACT_SHIFT = (
    r"(?P<rows>[+-]\d) (?P<columns>[+-]\d) (?P<verb>stay)",
    r"(?P<rows>[+-]\d) (?P<columns>[+-]\d) (?P<moves>\w+ \d(?: \w+ \d)*)",
)
_COMPACT_CROSSING = r"(?P<verb>in|out) (?P<ways>[\w/]+) (?P<way>\w+)(?P<moves>(?: \w+ \d)*)"
_COMPACT_VALUES = (
    r"shape (?P<shape>[\w/]+) size (?P<size>[\w/]+) color (?P<color>[\w/]+) "
    r"material (?P<material>[\w/]+)"
)


def read_chain(text: str) -> tuple[list[Claims], list[Call]]:
    """What a chain claims of each object, and its answer; `Unreadable` for any other text."""
    *lines, last = text.split("\n")
    answer = calls_in(need(last, *_ANSWER)["calls"])
    if last.startswith("answer "):
        return [_read_compact(line) for line in lines], answer
    if not lines or re.findall(r"\d \(\w+\)", lines[0]) != _CORNERS:
        raise Unreadable("the first line does not say how rows and columns count")
    return [_read_words(line) for line in lines[1:]], answer


def _read_words(line: str) -> Claims:
    """An object's sentences: before, after, attributes and moves if it was seen, the sum."""
    first, second, *between, last = _parts(line.removesuffix("."), ". ")
    claims = _begin(need(first, *_BEFORE), need(second, *_AFTER))
    for sentence in between:
        if found := match(sentence, *_SHIFT):
            found |= need(found["rest"], *_OUTCOME)
            _claim_moves(claims, found, moves_in(found.get("moves", ""), r"(\w+) by (\d) steps?"))
        elif found := match(sentence, *_CROSSING):
            claims.ways = found["ways"].split(" or ")
            _claim_moves(claims, found, moves_in(found.get("moves", ""), r"(\w+) by (\d) steps?"))
        else:
            claims.values = _values(sentence)
    found = need(last, *_SUM)
    _claim_sum(claims, found["new"], found["total"])
    claims.listed = calls_in(found["listed"]) if "listed" in found else None
    return claims


def _read_compact(line: str) -> Claims:
    """An object's fields, the same in their order."""
    first, second, *between, new, total = _parts(line, " ; ")
    before = need(first, rf"(?P<number>\d+) {NAME} {_CELL}", rf"(?P<number>\d+) {NAME} off")
    claims = _begin(before, need(second, rf"{NAME} {_CELL}", "off"))
    for field in between:
        if found := match(field, *_COMPACT_SHIFT):
            _claim_moves(claims, found, moves_in(found.get("moves", ""), r"(\w+) (\d)"))
            claims.verb = "moved" if claims.moves else "stayed"
        elif found := match(field, _COMPACT_CROSSING):
            claims.ways = found["ways"].split("/")
            _claim_moves(claims, found, moves_in(found["moves"], r"(\w+) (\d)"))
            claims.verb = {"in": "entered", "out": "left"}[found["verb"]]
        else:
            told = need(field, _COMPACT_VALUES)
            claims.values = {
                name: [] if value == "same" else value.split("/") for name, value in told.items()
            }
    added = need(new, r"add (?P<new>.+)")["new"]
    _claim_sum(claims, added, need(total, r"total (?P<total>\d)")["total"])
    return claims


def _parts(line: str, joint: str) -> list[str]:
    parts = line.split(joint)
    if len(parts) < (4 if joint == " ; " else 3):
        raise Unreadable(f"too little is said in {line!r}")
    return parts


def _begin(first: dict[str, str], second: dict[str, str]) -> Claims:
    name = name_in(first) or {}
    return Claims(int(first["number"]), name, place_in(first), name_in(second), place_in(second))


def _claim_moves(claims: Claims, found: dict[str, str], moves: Iterable[Move]) -> None:
    """A shift or a crossing: its verb, its numbers, and the moves that it consists of."""
    claims.verb = found.get("verb")
    claims.moves = [(found["way"], None)] if "way" in found else []
    claims.moves += moves
    if "rows" in found:
        claims.shift = int(found["rows"]), int(found["columns"])
    if "top" in found:
        top, left, bottom, right = (int(found[end]) for end in ("top", "left", "bottom", "right"))
        claims.ends = (top, left), (bottom, right)


def _values(sentence: str) -> dict[str, list[str]]:
    """What each attribute became, from a sentence with a part for each."""
    values: dict[str, list[str]] = {}
    for part in re.split(r"[,;] ", sentence[:1].lower() + sentence[1:]):
        found = need(part, _SAME, _CHANGED)
        if found["name"] in values:
            raise Unreadable(f"the {found['name']} comes twice in {sentence!r}")
        values[found["name"]] = found["values"].split(" then ") if "values" in found else []
    return values


def _claim_sum(claims: Claims, new: str, total: str) -> None:
    claims.added = [] if new in ("nothing", "none") else calls_in(new)
    claims.total = int(total)
