"""Text of a policy or of a data set in a question to another model, which it must not speak to.

    {answer} ──neutral──> a block of data between two marks

    BEGIN DATA 5f0c…      the mark is a hash of all that stands between marks: whoever writes some
    There are 3.          of it would have to write its own hash into it
    END DATA 5f0c…

The policy is paid for what the other model makes of it. So tokens that begin or end a turn, control
characters and words that spell a mark or a grade are broken, and what is too long is cut.
"""

import hashlib
import re
from collections.abc import Mapping

FIELD = re.compile(r"\{([a-z_]+)\}")

_NAMES = r"s|bos|eos|pad|unk|system|user|assistant|human|think|image|(?:start|end)_of_\w+"
# As chat templates have them: <|im_end|>, <｜User｜>, <start_of_turn>, </s>, [INST], <<SYS>>.
_ROLE_TOKEN = re.compile(
    rf"<(?=[|｜])|(?<=[|｜])>|<(?=/?(?:{_NAMES})>)|<(?=</?SYS>>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS|AVAILABLE_TOOLS)\])",
    re.IGNORECASE,
)
_MARK_WORDS = re.compile(r"\b(begin|end)\s+data\b", re.IGNORECASE)
_GRADE_WORD = re.compile(r"\b(grade[\s*_]*)[:：]", re.IGNORECASE)
_MARK_DIGITS = 16


def fill(template: str, values: Mapping[str, str], longest: int) -> tuple[str, str]:
    """A template with its fields as blocks of data, and the mark between which these stand.

    Args:
        template: Text with fields such as {answer}.
        values: What stands in each field.
        longest: Characters from which on a field is cut.
    """
    fields = sorted({*FIELD.findall(template)})
    data = {name: neutral(values[name], longest) for name in fields}
    mark = _mark_of([template, *data.values()])

    def block(field: re.Match[str]) -> str:
        return f"BEGIN DATA {mark}\n{data[field[1]]}\nEND DATA {mark}"

    return FIELD.sub(block, template), mark


def neutral(text: str, longest: int) -> str:
    """Text that begins no turn, moves no cursor, spells no mark and no grade, and has an end."""
    more = len(text) - longest
    text = "".join(
        char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for char in text[:longest]
    )
    text = _ROLE_TOKEN.sub(lambda found: " >" if found[0] == ">" else f"{found[0]} ", text)
    text = _MARK_WORDS.sub(r"\1-data", text)
    text = _GRADE_WORD.sub(r"\1=", text)
    return f"{text}\n(cut here: {more:,} more characters)" if more > 0 else text


def _mark_of(texts: list[str]) -> str:
    """The same for the same texts, so that replies can be kept, and in none of them."""
    attempt, together = 0, "\0".join(texts)
    while True:
        mark = hashlib.sha256(f"{attempt}\0{together}".encode()).hexdigest()[:_MARK_DIGITS]
        if mark not in together:
            return mark
        attempt += 1
