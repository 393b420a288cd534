"""The reference implementation's reward functions, score for score.

Each takes a completion and the solution as its record has it, tags included. They keep the
reference's quirks (docs/rewards.md lists them) but for two: none returns NaN, and none takes more
than linear time where the reference's lazy patterns are quadratic.
"""

import math
import re
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

from reasonrft.symbolic import VERIFIER
from reasonrft.tasks.tags import first_answer_block
from reasonrft.trance_calls import Call

_CALL = re.compile(r"(?<!\w)(\w+)\((\w+),\s*'?(\w+)'?\)")
_STEP = re.compile(r"(Step \d+:|^\d+\.|\n-|\n\*|First,|Second,|Next,|Finally,)")


def inner(text: str) -> str:
    """The first answer block, or the whole text without one."""
    block = first_answer_block(text)
    return text.strip() if block is None else block


def accuracy(completion: str, solution: str) -> float:
    """Equal strings; without an answer block, equal as mathematics too."""
    if inner(completion) == inner(solution):
        return 1.0
    return _untagged_agreement(completion, solution)


def mathematical_accuracy(completion: str, solution: str) -> float:
    """1 within 5 % of the solution, falling along a cosine to 0 at 20 %; else as strings."""
    given, gold = inner(completion), inner(solution)
    try:
        reward = closeness(float(given), float(gold))
    except ValueError:
        reward = float(given == gold)
    return reward or _untagged_agreement(completion, solution)


def closeness(given: float, gold: float, near: float = 0.05, far: float = 0.20) -> float:
    """The cosine between two relative distances; 0 at gold 0, where the reference divides by it."""
    gap, scale = abs(given - gold), abs(gold)
    if not math.isfinite(gap) or scale == 0 or gap > far * scale:
        return 0.0
    if gap < near * scale:
        return 1.0
    width = (far - near) * scale
    return 0.5 * (math.cos(math.pi * (gap - near * scale) / width) + 1) if width else 0.0


def _untagged_agreement(completion: str, solution: str) -> float:
    if first_answer_block(completion) is not None:
        return 0.0
    return float(VERIFIER.agree(completion, solution))


def find_calls(text: str) -> list[Call]:
    """Every call anywhere in the text, in the spelling that the reference accepts."""
    return [Call(*groups) for groups in _CALL.findall(text)]


def function_accuracy(
    completion: str, solution: str, near: float = 0.5, function_only: float = 0.25
) -> float:
    """Calls matched in four stages over the longer sequence, less for calls that repeat."""
    calls = find_calls(inner(completion))
    given, gold = list(dict.fromkeys(calls)), list(dict.fromkeys(find_calls(solution)))
    if not given or not gold:
        return 0.0
    share = len(given) / len(calls) / max(len(given), len(gold))
    return share * staged_credit(given, gold, near, function_only)


def exact_function_accuracy(completion: str, solution: str) -> float:
    return function_accuracy(completion, solution, 0, 0)


def penalised_function_accuracy(completion: str, solution: str) -> float:
    return function_accuracy(completion, solution, -0.25, -0.5)


_STAGES: tuple[Callable[[Call], tuple[str, ...]], ...] = (
    tuple,
    lambda call: (call.function, call.object),
    lambda call: (call.function, call.value),
    lambda call: (call.function,),
)


def staged_credit(
    given: Sequence[Call], gold: Sequence[Call], near: float, function_only: float
) -> float:
    """Pair calls that agree in all, then in object, in value, in function alone; sum the worth."""
    credit = 0.0
    for key, worth in zip(_STAGES, (1.0, near, near, function_only), strict=True):
        due: dict[tuple[str, ...], deque[int]] = defaultdict(deque)
        for index, call in enumerate(gold):
            due[key(call)].append(index)
        left, paired = [], set()
        for call in given:
            if due[key(call)]:
                paired.add(due[key(call)].popleft())
            else:
                left.append(call)
        credit += worth * len(paired)
        given, gold = left, [call for index, call in enumerate(gold) if index not in paired]
    return credit


def think_answer_format(completion: str) -> float:
    """The whole completion is `<think>…</think>`, white space, `<answer>…</answer>`."""
    return _sections(completion, ("think", "answer"))


def caption_format(completion: str) -> float:
    """The same with a summary and a caption before the thought."""
    return _sections(completion, ("summary", "caption", "think", "answer"))


def _sections(text: str, names: Sequence[str]) -> float:
    """What fullmatch of the lazy pattern finds, by taking each earliest seam."""
    first, last = f"<{names[0]}>", f"</{names[-1]}>"
    if not (text.startswith(first) and text.endswith(last)):
        return 0.0
    at, end = len(first), len(text) - len(last)
    for closing, opening in pairwise(names):
        seam = re.compile(rf"</{closing}>\s*<{opening}>").search(text, at, end)
        if not seam:
            return 0.0
        at = seam.end()
    return float(at <= end)


def reasoning_steps(completion: str) -> float:
    """A third for each mark of a step, three at most."""
    return min(1.0, len(_STEP.findall(completion)) / 3)


def same_answer(completion: str, solution: str) -> bool:
    """Equal as strings or as floats; without an answer block, equal as mathematics too."""
    given, gold = inner(completion), inner(solution)
    if given == gold:
        return True
    try:
        if float(given) == float(gold):
            return True
    except ValueError:
        pass
    return bool(_untagged_agreement(completion, solution))


def length_rewards(lengths: Sequence[int], correct: Sequence[bool]) -> list[float]:
    """Half for the shortest of a group to minus half for the longest; wrong ones gain nothing."""
    shortest, longest = min(lengths), max(lengths)
    if shortest == longest:
        return [0.0] * len(lengths)
    worth = [0.5 - (length - shortest) / (longest - shortest) for length in lengths]
    return [w if right else min(0.0, w) for w, right in zip(worth, correct, strict=True)]


ReferenceName = Literal["accuracy", "math_accuracy", "trance", "trance_only_full", "trance_penalty"]

REFERENCE_FUNCTIONS: dict[ReferenceName, Callable[[str, str], float]] = {
    "accuracy": accuracy,
    "math_accuracy": mathematical_accuracy,
    "trance": function_accuracy,
    "trance_only_full": exact_function_accuracy,
    "trance_penalty": penalised_function_accuracy,
}
"""Its accuracy functions, under the names by which its scripts choose them."""
