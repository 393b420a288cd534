"""How the reference's evaluation decides that an answer is right; each quirk is a switch."""

from dataclasses import dataclass

from reasonrft.symbolic import VERIFIER
from reasonrft.tasks.reference_functions import find_calls, staged_credit
from reasonrft.tasks.tags import first_answer_block


@dataclass(frozen=True, slots=True)
class OfficialRules:
    """The quirks of the reference's evaluation, as its scripts have them."""

    single_line: bool = True
    """Calls in an answer block of several lines are sought in the whole text."""
    untagged: bool = True
    """Without an answer block the whole text is the answer, thought included."""
    symbolic: bool = True
    """What math-verify finds equal is right: "3 objects", "3.0", "140°" for 140."""
    substring: bool = False
    """Without tags, a solution that occurs anywhere is right (its closed models)."""
    partial: bool = True
    """Calls right in part count in part, instead of only exact ones."""
    repeats_free: bool = True
    """Giving a call twice costs nothing."""


DEFAULT_RULES = OfficialRules()


def official_agreement(completion: str, solution: str, rules: OfficialRules) -> bool:
    """Whether an answer equals the solution, as a string or as mathematics."""
    block = first_answer_block(completion)
    if block is None and rules.substring and solution.strip() in completion:
        return True
    if block is None and not rules.untagged:
        return False
    answer = completion.strip() if block is None else block
    if answer == (solution.strip() if block is None else solution):
        return True
    return rules.symbolic and VERIFIER.agree(answer, solution)


def official_call_credit(completion: str, solution: str, rules: OfficialRules) -> float:
    """Credit of function calls over the longer sequence; repeated calls count once."""
    calls = find_calls(official_calls_text(completion, rules))
    given, gold = list(dict.fromkeys(calls)), list(dict.fromkeys(find_calls(solution)))
    if not given or not gold:
        return 0.0
    worth = (0.5, 0.25) if rules.partial else (0.0, 0.0)
    credit = staged_credit(given, gold, *worth) / max(len(given), len(gold))
    return credit if rules.repeats_free else credit * len(given) / len(calls)


def official_calls_text(completion: str, rules: OfficialRules = DEFAULT_RULES) -> str:
    """The part of a completion in which the reference looks for calls."""
    for text in completion.split("\n") if rules.single_line else [completion]:
        if (block := first_answer_block(text)) is not None:
            return block
    return completion if rules.untagged else ""
