"""Reading a sequence of functions: change_color(2, cyan), change_position(0, left)."""

import re
from collections import Counter
from typing import NamedTuple

MAX_LENGTH = 4_000
MAX_STEPS = 4

VALUES: dict[str, tuple[str, ...]] = {
    "change_size": ("small", "medium", "large"),
    "change_color": ("yellow", "gray", "cyan", "blue", "brown", "green", "red", "purple"),
    "change_material": ("glass", "metal", "rubber"),
    "change_shape": ("cube", "sphere", "cylinder"),
    "change_position": (
        "front",
        "behind",
        "left",
        "right",
        "front_left",
        "front_right",
        "behind_left",
        "behind_right",
    ),
}


class Call(NamedTuple):
    """One atomic transformation, func(object_id, value)."""

    function: str
    object: str
    value: str

    def __str__(self) -> str:
        return f"{self.function}({self.object}, {self.value})"

    @property
    def valid(self) -> bool:
        return self.value in VALUES.get(self.function, ()) and self.object.isdigit()


_QUOTE = r"['\"]?"
_CALL = re.compile(
    rf"(?<!\w)(\w{{1,40}})\s*\(\s*{_QUOTE}(\w{{1,40}}){_QUOTE}\s*,"
    rf"\s*{_QUOTE}(\w{{1,20}}(?:[-_ ]\w{{1,20}})?){_QUOTE}\s*\)"
)
# Between calls: separators, list marks, numbering, brackets, quotes and code fences; no words.
_BETWEEN = re.compile(r"(?:[\s,;.:\[\]{}'\"`*-]|->|→|\bthen\b|\band\b|(?<!\w)\d{1,2}[.):])*")


def read_calls(text: str) -> list[Call] | None:
    """Every call in order, or None if the text holds anything but a sequence of calls."""
    if len(text) > MAX_LENGTH:
        return None
    calls: list[Call] = []
    at = 0
    for match in _CALL.finditer(text):
        if not _BETWEEN.fullmatch(text, at, match.start()):
            return None
        function, item, value = (part.lower() for part in match.groups())
        calls.append(Call(function, item, re.sub(r"[- ]", "_", value)))
        at = match.end()
    return calls if calls and _BETWEEN.fullmatch(text, at) else None


def visible_steps(calls: list[Call]) -> list[int]:
    """Steps that the final picture can show: each attribute's last change, and every move."""
    last = {(call.function, call.object): step for step, call in enumerate(calls)}
    return [
        step
        for step, call in enumerate(calls)
        if call.function == "change_position" or last[call.function, call.object] == step
    ]


def repeats(calls: list[Call], gold: list[Call]) -> bool:
    """Whether a call is given more often than the gold answer has it."""
    allowed = Counter(gold)
    return any(count > max(1, allowed[call]) for call, count in Counter(calls).items())


def pair_steps(calls: list[Call], admissible: list[set[Call]]) -> dict[int, int]:
    """Pair as many calls as possible each with a step of its own that admits it."""
    taken: dict[int, int] = {}

    def pair(index: int, seen: set[int]) -> bool:
        for step, options in enumerate(admissible):
            if calls[index] in options and step not in seen:
                seen.add(step)
                if step not in taken or pair(taken[step], seen):
                    taken[step] = index
                    return True
        return False

    for index in range(len(calls)):
        pair(index, set())
    return {index: step for step, index in taken.items()}
