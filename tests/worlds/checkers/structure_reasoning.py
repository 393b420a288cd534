"""Steps that are not arithmetic: tallies, directions of a motion, neighbours on a die."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple


class LastStep(NamedTuple):
    """A chain without its conclusion, and what was given."""

    steps: str
    question: str
    facts: Mapping[str, str]


class Found(NamedTuple):
    """What such steps lead to, or a fault where they do not follow; both empty without any."""

    value: str = ""
    fault: str = ""


_TALLY = re.compile(r"([A-Z][a-z]*) = (\d+) (?:(no)|yes (\d+))")
_GOES = re.compile(
    r"up on the left points (\w+) on the right. What points right on the left points (\w+)"
    r"|[Tt]op goes (\w+), and its right side goes (\w+)|up goes (\w+). right goes (\w+)"
)
_VIEW = re.compile(r"[Vv]iew (\d)(?: shows|,|:) (\d) (?:next to|touches) (\d) and (\d)")
_SUMMARY = re.compile(r"(\d), (\d), (\d) and (\d)")
_LEFT = re.compile(r"(?:left|leaves)(?: is)? (\d)")
_EXTREMES = re.compile(r"largest (?:number is )?(\d+)(?: and the|\.) smallest (?:is )?(\d+)")
_MOTIONS = {
    ("up", "right"): "slide",
    ("up", "left"): "flip",
    ("down", "right"): "flip",
    ("right", "down"): "turn",
    ("down", "left"): "turn",
    ("left", "up"): "turn",
}


def conclusion_of(step: LastStep) -> Found:
    """What the steps lead to, if they are of one of these kinds."""
    for pattern, follow in _KINDS.items():
        if pattern.search(step.steps):
            return follow(step)
    return Found()


def _tally(step: LastStep) -> Found:
    """Every name once, its value as given, and a count that grows by one at each yes."""
    limit = re.search(r"(\d+) or more", step.question)
    if not limit:
        return Found(fault="the question sets no limit to tally by")
    count, names = 0, []
    for name, value, no, yes in _TALLY.findall(step.steps):
        names.append(name)
        meets = int(value) >= int(limit[1])
        count += meets
        if step.facts.get(name) != value or meets == bool(no) or (yes and int(yes) != count):
            return Found(fault=f"the tally is wrong at {name}")
    if sorted(names) != sorted(step.facts):
        return Found(fault="the tally leaves something out")
    if not re.search(rf"\b{count} in all|makes {count}\b", step.steps):
        return Found(fault=f"the tally of {count} is not stated")
    return Found(str(count))


def _directions(step: LastStep) -> Found:
    """Where up and right go decides the motion; degrees follow by arithmetic."""
    match = _GOES.search(step.steps)
    if not match:
        return Found(fault="the directions are not stated")
    up, right = (group for group in match.groups() if group)
    if (step.facts.get("up"), step.facts.get("right")) != (up, right):
        return Found(fault=f"up does not go {up} with right going {right}")
    kind = _MOTIONS.get((up, right), "")
    if "degrees" in step.question:
        quarters = {"right": 1, "down": 2, "left": 3}.get(up, 0)
        stated = re.search(r"(\d) quarter turn|quarters = (\d)", step.steps)
        if kind != "turn" or not stated or int(stated[1] or stated[2]) != quarters:
            return Found(fault=f"{up} is not that many quarter turns from up")
        return Found(str(90 * quarters))
    return Found(kind)


def _neighbours(step: LastStep) -> Found:
    """Four neighbours, each seen in a view beside the face asked for, leave one face."""
    asked = re.search(r"opposite (?:to )?(?:the )?(\d)", step.question)
    if not asked:
        return Found(fault="the question names no face")
    met = set()
    for view, face, *beside in _VIEW.findall(step.steps):
        shown = step.facts.get(f"view {view}", "").split()
        if face != asked[1] or sorted([face, *beside]) != sorted(shown):
            return Found(fault=f"view {view} does not show {face}, {' and '.join(beside)}")
        met.update(beside)
    left = set("123456") - met - {asked[1]}
    if len(left) != 1:
        return Found(fault=f"the views leave {len(left)} faces")
    summed = {number for numbers in _SUMMARY.findall(step.steps) for number in numbers}
    if summed != met or _LEFT.findall(step.steps) != sorted(left):
        return Found(fault="the neighbours are summed up wrongly")
    return Found(left.pop())


def _extremes(step: LastStep) -> Found:
    """The largest and the smallest of the given numbers."""
    values = [int(value) for value in step.facts.values()]
    match = _EXTREMES.search(step.steps)
    if not match or (int(match[1]), int(match[2])) != (max(values), min(values)):
        return Found(fault="these are not the largest and the smallest number")
    return Found()


_KINDS: dict[re.Pattern[str], Callable[[LastStep], Found]] = {
    re.compile(r" (?:no|yes \d+)\b"): _tally,
    _GOES: _directions,
    re.compile(r"[Vv]iew \d"): _neighbours,
    re.compile(r"largest"): _extremes,
}
