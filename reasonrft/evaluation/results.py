"""From the accuracies of single answers to those of splits, templates, levels and views."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from reasonrft.evaluation.answers import GROUPS, Line
from reasonrft.evaluation.image_modes import ALTERED, ImageMode
from reasonrft.evaluation.intervals import difference_interval, wilson_interval
from reasonrft.problems import Problem
from reasonrft.tasks import Task, find_task

Tally = dict[str, Any]
"""Averages with their intervals."""
Summary = dict[str, Any]
"""Tallies of a policy's tasks and splits, as summary.json has them."""

MEASURES = {"official": "official_interval", "strict": "interval"}
"""The two measures of accuracy, with the keys of their intervals."""


class AnswerAccuracy(NamedTuple):
    """How right one answer is, by both measures."""

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
    mode: ImageMode = "own"
    """Which images were shown with the question."""


def measure_answer(problem: Problem, text: str, task: Task | None = None) -> dict[str, float]:
    """The accuracy of an answer: official, and strict as its task has it.

    Answers are measured one by one, so that none depends on what else is in its batch.
    """
    task = task or find_task(problem.task)
    return {
        "official": task.official_accuracy(text, problem),
        "strict": task.accuracy(text, problem),
    }


def accuracy_of(line: Line, mode: ImageMode = "own") -> AnswerAccuracy:
    """The accuracy that a line of answers holds."""
    groups = {name: str(line[name])[:80] for name in GROUPS if name in line}
    names = ("key", "split", "official", "strict", "tokens", "truncated")
    return AnswerAccuracy(**{name: line[name] for name in names}, groups=groups, mode=mode)


def tally(accuracies: Iterable[AnswerAccuracy]) -> dict[str, Tally]:
    """Accuracies of each split, with those of its templates, levels and views under "by".

    What was answered without images or with another problem's stands under "blind" and "swapped",
    each with the gap to what was answered with the images.
    """
    splits: dict[str, dict[str, list[AnswerAccuracy]]] = defaultdict(lambda: defaultdict(list))
    for accuracy in accuracies:
        splits[accuracy.split][accuracy.mode].append(accuracy)
    return {split: _tally_split(modes) for split, modes in splits.items() if "own" in modes}


def _tally_split(modes: Mapping[str, list[AnswerAccuracy]]) -> Tally:
    own = _average(modes["own"])
    altered = {mode: _average(modes[mode]) for mode in ALTERED if mode in modes}
    split_tally: Tally = {**own, "by": _by_group(modes["own"])}
    for mode, average in altered.items():
        split_tally[mode] = {**average, "gap": difference(average, own)}
    return split_tally


def difference(before: Tally, after: Tally) -> Tally:
    """By how much both measures differ, with intervals."""
    change: Tally = {}
    for measure, interval in MEASURES.items():
        sides = (before[measure], before[interval], after[measure], after[interval])
        change[measure] = after[measure] - before[measure]
        change[interval] = list(difference_interval(*sides))
    return change


def _by_group(accuracies: Sequence[AnswerAccuracy]) -> dict[str, dict[str, Tally]]:
    groups: dict[str, dict[str, list[AnswerAccuracy]]] = defaultdict(lambda: defaultdict(list))
    for accuracy in accuracies:
        for name, value in accuracy.groups.items():
            groups[name][value].append(accuracy)
    return {
        name: {value: _average(groups[name][value]) for value in sorted(groups[name])}
        for name in GROUPS
        if name in groups
    }


def _average(accuracies: Sequence[AnswerAccuracy]) -> Tally:
    count = len(accuracies)
    official, strict = fmean(a.official for a in accuracies), fmean(a.strict for a in accuracies)
    return {
        "official": official,
        "strict": strict,
        "n": count,
        "interval": list(wilson_interval(strict, count)),
        "official_interval": list(wilson_interval(official, count)),
        "tokens": fmean(a.tokens for a in accuracies),
        "truncated": fmean(a.truncated for a in accuracies),
    }
