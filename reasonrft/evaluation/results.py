"""From single scores to accuracies by split, template, level and view."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any, NamedTuple

from reasonrft.evaluation.answers import GROUPS, Line
from reasonrft.evaluation.intervals import wilson_interval
from reasonrft.problems import Problem
from reasonrft.tasks import Task, find_task

Tally = dict[str, Any]
"""Averages with their intervals."""
Summary = dict[str, Any]
"""Tallies of a policy's tasks and splits, as summary.json has them."""


class Score(NamedTuple):
    """How one answer scored."""

    key: str
    """Of its prompt, as `prompt_key` makes it."""
    split: str
    """With its task: "counting/id"."""
    official: float
    strict: float
    tokens: int
    truncated: bool
    groups: Mapping[str, str]
    """Its template, level and view, as far as they are known."""


def score_answer(problem: Problem, text: str, task: Task | None = None) -> dict[str, float]:
    """The official score of an answer, and the strict one as its task has it.

    Answers are scored one by one, so that no score depends on what else is in its batch.
    """
    judge = task or find_task(problem.task)
    return {
        "official": judge.official_accuracy(text, problem),
        "strict": judge.accuracy(text, problem),
    }


def score_of(line: Line) -> Score:
    """What a line of answers says of its score."""
    groups = {name: str(line[name])[:80] for name in GROUPS if name in line}
    own = {name: line[name] for name in Score._fields if name != "groups"}
    return Score(**own, groups=groups)


def tally(scores: Iterable[Score]) -> dict[str, Tally]:
    """Accuracies of each split, with those of its templates, levels and views under "by"."""
    splits: dict[str, list[Score]] = defaultdict(list)
    for score in scores:
        splits[score.split].append(score)
    return {split: {**_average(found), "by": _by_group(found)} for split, found in splits.items()}


def _by_group(scores: list[Score]) -> dict[str, dict[str, Tally]]:
    told: dict[str, dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))
    for score in scores:
        for name, value in score.groups.items():
            told[name][value].append(score)
    return {
        name: {value: _average(told[name][value]) for value in sorted(told[name])}
        for name in GROUPS
        if name in told
    }


def _average(scores: list[Score]) -> Tally:
    official, strict = fmean(s.official for s in scores), fmean(s.strict for s in scores)
    return {
        "official": official,
        "strict": strict,
        "n": len(scores),
        "interval": list(wilson_interval(strict, len(scores))),
        "official_interval": list(wilson_interval(official, len(scores))),
        "tokens": fmean(s.tokens for s in scores),
        "truncated": fmean(s.truncated for s in scores),
    }
