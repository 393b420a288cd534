"""Whether a counting chain entails the answer: its text against the question's and the scene."""

from collections.abc import Mapping
from typing import Any

from reasonrft.oracles.count_questions import Description, Program, describe, fits, parse_question
from reasonrft.problems import Problem
from reasonrft.worlds.counting.words import (
    ATTRIBUTES,
    from_left_to_right,
    grid_place,
    spoken_place,
)
from tests.worlds.checkers.counting_reading import Chain, Parts, read_chain


def check_chain(problem: Problem) -> str | None:
    """What is wrong with a problem's chain, in one clause, or None."""
    program, chain = parse_question(problem.question), read_chain(problem.cot)
    if program is None:
        return "the question cannot be read"
    if chain is None:
        return "the chain cannot be read"
    faults = (
        _opening_fault(chain, program),
        _listing_fault(chain, problem.meta["scene"]),
        _tally_fault(chain, program),
        _total_fault(chain, program, problem.meta["scene"]),
        _sum_fault(chain, program, problem.answer),
    )
    return next((fault for fault in faults if fault), None)


def _opening_fault(chain: Chain, program: Program) -> str | None:
    """Whether the chain sets out to count and to take away what the question says."""
    removed = chain.opening["removed"].split(" or ") if "removed" in chain.opening else []
    steps = "".join(f"Subtract all {kind}. " for kind in removed) or "Add 1 objects. "
    meant = parse_question(f"{steps}How many {chain.opening['asked']} are left?")
    if meant is None or meant.asked != program.asked:
        return f"the question does not ask for {chain.opening['asked']}"
    if _removed(meant) != _removed(program):
        return f"the question does not take away {' or '.join(removed) or 'nothing'}"
    return None


def _listing_fault(chain: Chain, scene: Mapping[str, Any]) -> str | None:
    """Whether the chain names the objects of the scene in their order, and where they are."""
    if not chain.items:
        return None
    objects = from_left_to_right(scene["objects"])
    if len(objects) != len(chain.items):
        return f"{len(chain.items)} objects are named, there are {len(objects)}"
    spot = spoken_place if chain.style == "words" else grid_place
    for item, said in zip(objects, chain.items, strict=True):
        known = describe(item)
        if said["thing"].split() != [known[key] for key in ATTRIBUTES]:
            return f"there is no {said['thing']} in that place"
        if said["place"] != spot(item["pixel_coords"], scene["width"], scene["height"]):
            return f"the {said['thing']} is not {said['place']}"
    return None


def _tally_fault(chain: Chain, program: Program) -> str | None:
    """Whether each named object is judged and tallied rightly."""
    count = gone = 0
    for said in chain.items:
        thing = dict(zip(ATTRIBUTES, said["thing"].split(), strict=True))
        counts, goes = _judged(thing, program)
        count, gone = count + counts, gone + goes
        told = {"count": count} if counts else {}
        told |= {"gone": gone} if goes else {}
        if told != _numbers(said):
            return f"the {said['thing']} is judged or tallied wrongly"
    return None


def _total_fault(chain: Chain, program: Program, scene: Mapping[str, Any]) -> str | None:
    """Whether the total is that of the scene, whose objects a brief chain does not name."""
    judged = [_judged(describe(item), program) for item in scene["objects"]]
    told = {"count": sum(counts for counts, _ in judged)}
    if _removed(program):
        told["gone"] = sum(goes for _, goes in judged)
    return None if told == _numbers(chain.total) else "the total is not the tally"


def _judged(thing: Description, program: Program) -> tuple[bool, bool]:
    """Whether a thing counts, and whether it counts and goes."""
    counts = bool(fits(thing, program.asked))
    return counts, counts and any(fits(thing, kind) for kind in _removed(program))


def _sum_fault(chain: Chain, program: Program, answer: str) -> str | None:
    """Whether the arithmetic is the question's, right, and ends with the answer."""
    change = sum(step.number for step in program.steps if step.number is not None) - program.goal
    change -= int(chain.total.get("gone", 0))
    left, right = int(chain.sum["left"]), int(chain.sum["right"])
    right = right if chain.sum["sign"] == "+" else -right
    if left != int(chain.total["count"]) or right != change:
        return "the arithmetic is not that of the tally and the question"
    if left + right != int(chain.sum["result"]):
        return "the arithmetic is wrong"
    return None if chain.sum["result"] == answer else "the chain does not end with the answer"


def _removed(program: Program) -> list[Description]:
    return [step.of for step in program.steps if step.number is None]


def _numbers(said: Parts) -> dict[str, int]:
    return {key: int(said[key]) for key in ("count", "gone") if key in said}
