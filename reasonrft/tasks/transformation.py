"""Spatial transformation: which functions turn the first image's scene into the last one's."""

from collections import Counter
from typing import ClassVar

from reasonrft.problems import Problem
from reasonrft.tasks.base import Task
from reasonrft.tasks.official_rules import DEFAULT_RULES, OfficialRules, official_call_credit
from reasonrft.tasks.tags import read_response
from reasonrft.trance_calls import (
    MAX_STEPS,
    VALUES,
    Call,
    pair_steps,
    read_calls,
    repeats,
    visible_steps,
)

_RULES = """The first picture shows a scene, the second the same scene after one to four changes, \
seen from the same or from another side.
Each object of the first scene is listed as ('object_id', 'shape', 'size', 'color', 'material').
A change is a function call:
- change_size(object_id, value) with value small, medium or large
- change_color(object_id, value) with value yellow, gray, cyan, blue, brown, green, red or purple
- change_material(object_id, value) with value glass, metal or rubber
- change_shape(object_id, value) with value cube, sphere or cylinder
- change_position(object_id, value) with value front, behind, left, right, front_left, \
front_right, behind_left or behind_right: where the object goes, as seen in the first picture; \
front is away from the viewer, behind is toward the viewer
{question}
"""


class TransformationTask(Task):
    """Answers are sequences of one to four calls; an ambiguous step admits several."""

    name = "transformation"
    title = "Spatial transformation"
    reasoning_template = _RULES + (
        "Compare the pictures step by step inside <think> </think>, then give the calls alone, "
        "separated by commas, inside <answer> </answer>."
    )
    answer_template = _RULES + "Give the calls alone, separated by commas."
    ood_splits = ("ood-left", "ood-right")
    reference_functions: ClassVar = {"scripts": "trance_only_full", "paper": "trance"}

    def agrees(self, answer: str, problem: Problem) -> bool:
        return self.credit(answer, problem) == 1

    def reward(self, completion: str, problem: Problem) -> float:
        """Partial credit: the share of right calls among those given or due, whichever are more.

        Accuracy, in contrast, is 1 for a whole right sequence alone.
        """
        statements = read_response(completion).statements
        return min((self.credit(text, problem) for text in statements), default=0.0)

    def official_accuracy(
        self, completion: str, problem: Problem, rules: OfficialRules = DEFAULT_RULES
    ) -> float:
        return official_call_credit(completion, problem.solution, rules)

    def credit(self, answer: str, problem: Problem) -> float:
        """Right calls over the longer sequence."""
        sequences = self.sequences(answer, problem)
        if sequences is None:
            return 0.0
        given, gold = sequences
        return (Counter(given) & Counter(gold)).total() / max(len(given), len(gold))

    def sequences(self, answer: str, problem: Problem) -> tuple[list[Call], list[Call]] | None:
        """Calls given and calls due, as far as the images show them; None for no clean answer.

        A given call that a step admits is written as the gold answer has that step. Invalid,
        repeated and too many calls are no clean answer.
        """
        given, gold = read_calls(answer), read_calls(problem.answer)
        if not given or not gold or len(given) > max(MAX_STEPS, len(gold)) or repeats(given, gold):
            return None
        if not all(call.valid for call in given):
            return None
        given = [given[step] for step in visible_steps(given)]
        due = [gold[step] for step in visible_steps(gold)]
        paired = pair_steps(given, admissible_calls(problem, gold))
        return [due[paired[i]] if i in paired else call for i, call in enumerate(given)], due

    def fault(self, problem: Problem) -> str | None:
        calls = read_calls(problem.answer)
        if not calls:
            return f"{problem.answer[:80]!r} is not a sequence of calls like change_color(2, red)"
        for call in calls:
            if call.function not in VALUES:
                return f"{call}: no such function; there are {', '.join(VALUES)}"
            if not call.valid:
                return f"{call}: not a value of {call.function}: {', '.join(VALUES[call.function])}"
        return None


def admissible_calls(problem: Problem, gold: list[Call]) -> list[set[Call]]:
    """For each step that the images can show, the calls that are right there.

    `meta["options"]` holds [step, [values]] pairs for the steps that admit more than one value.
    """
    options = {int(step): values for step, values in problem.meta.get("options", ())}
    return [
        {gold[step], *(gold[step]._replace(value=value) for value in options.get(step, ()))}
        for step in visible_steps(gold)
    ]
