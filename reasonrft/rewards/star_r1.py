"""The reward of STAR-R1 (2505.15804): what is partly right pays, enumeration and inaction cost."""

from collections import Counter

from reasonrft.problems import Problem
from reasonrft.rewards.base import Reward
from reasonrft.tasks.tags import read_response
from reasonrft.tasks.transformation import admissible_calls
from reasonrft.trance_calls import Call, pair_steps, read_calls, visible_steps

RIGHT, CHANGE_RIGHT, OBJECT_RIGHT = 5.0, 1.5, 0.5
LEAST = -20.0
"""As much as the best answer earns, which has four steps."""


class StarR1Reward(Reward):
    """Pays 5, 1.5 or 0.5 for each call, takes 1 for each wrong or missing one; not normalised.

    Calls are paired with steps that are due, each with one: first those that are right, then those
    that change the right attribute of an object, then those on an object that changes. A call that
    is left, as a repeated or an invalid one is, is wrong. Missing are so many as the answer has
    calls too few. The sum, from -20 to 5 for each step, needs a weight of 0.2 beside other rewards.
    """

    def reward(self, completion: str, problem: Problem) -> float:
        gold = read_calls(problem.answer)
        if not gold:
            return 0.0
        statements = read_response(completion).statements or ("",)
        return min(_worth(read_calls(text) or [], gold, problem) for text in statements)


def _worth(given: list[Call], gold: list[Call], problem: Problem) -> float:
    given, due = _without_hidden(given, gold), [gold[step] for step in visible_steps(gold)]
    valid = [call for call in given if call.valid]
    right = pair_steps(valid, admissible_calls(problem, gold))
    calls = [call for index, call in enumerate(valid) if index not in right]
    steps = [call for index, call in enumerate(due) if index not in right.values()]
    # What agrees in the change agrees in the object too.
    same_object = _agreeing([call.object for call in calls], [step.object for step in steps])
    same_change = _agreeing([call[:2] for call in calls], [step[:2] for step in steps])
    wrong = len(given) - len(right) - same_object
    missing = max(0, len(due) - len(given))
    paid = RIGHT * len(right) + CHANGE_RIGHT * same_change
    paid += OBJECT_RIGHT * (same_object - same_change)
    return max(LEAST, paid - wrong - missing)


def _agreeing(calls: list, steps: list) -> int:
    return (Counter(calls) & Counter(steps)).total()


def _without_hidden(given: list[Call], gold: list[Call]) -> list[Call]:
    """Without changes that a later one hides, as often as the gold answer has them too."""
    visible = set(visible_steps(gold))
    hidden = Counter(call[:2] for step, call in enumerate(gold) if step not in visible)
    left, shown = [], set(visible_steps(given))
    for step, call in enumerate(given):
        if step in shown or not hidden[call[:2]]:
            left.append(call)
        else:
            hidden[call[:2]] -= 1
    return left
