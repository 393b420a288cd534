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
_KEY = r"(?:(?:object_id|object|id|value|to)\s*=\s*)?"
_CALL = re.compile(
    rf"(?<!\w)(\w{{1,40}})\s*\(\s*{_KEY}{_QUOTE}(\w{{1,40}}){_QUOTE}\s*,"
    rf"\s*{_KEY}{_QUOTE}(\w{{1,20}}(?:[-_ ]\w{{1,20}})?){_QUOTE}\s*\)"
)
# Between calls: separators, list marks, numbering, brackets, quotes, code fences, harmless words.
_BETWEEN = re.compile(
    r"(?:[\s,;.:\[\]{}()'\"`*\u2022$-]|->|=>|\u2192|\b\d{1,2}\b|\b[a-z]{1,20}\b)*", re.I
)
_WORD = re.compile(r"[a-z]+", re.I)
_WORDS = frozenset(
    "then and next finally lastly first firstly second secondly third thirdly fourth step so thus "
    "therefore the final answer is are be a of function functions sequence call calls change "
    "changes transformation transformations python text code plaintext result output "
    "following".split()
)
_SPELLINGS = [
    (re.compile(r"\\(?:text|texttt|mathrm|mathtt)\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\boxed\s*(?=\{)|\*\*"), " "),
    (re.compile(r"\\_"), "_"),
]


def read_calls(text: str) -> list[Call] | None:
    """Every call in order, or None if the text holds anything but a sequence of calls."""
    if len(text) > MAX_LENGTH:
        return None
    for pattern, replacement in _SPELLINGS:
        text = pattern.sub(replacement, text)
    calls: list[Call] = []
    at = 0
    for match in _CALL.finditer(text):
        if not _separates(text[at : match.start()]):
            return None
        function, item, value = (part.lower() for part in match.groups())
        value = re.sub(r"[- ]", "_", value)
        calls.append(Call(function, item, "gray" if value == "grey" else value))
        at = match.end()
    return calls if calls and _separates(text[at:]) else None


def _separates(text: str) -> bool:
    words = _WORD.findall(text)
    return bool(_BETWEEN.fullmatch(text)) and all(word.lower() in _WORDS for word in words)


def visible_steps(calls: list[Call]) -> list[int]:
    """Steps that the final image can show: each attribute's last change, and every move."""
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
