"""Reading `<think>…</think><answer>…</answer>`.

Plain searches instead of regular expressions: lazy patterns take quadratic time on a megabyte of
opening tags, and completions are untrusted.
"""

from dataclasses import dataclass

THINK, END_THINK = "<think>", "</think>"
ANSWER, END_ANSWER = "<answer>", "</answer>"


@dataclass(frozen=True, slots=True)
class Response:
    """A completion taken apart."""

    thought: str
    answer: str | None
    """None where the completion does not commit to exactly one answer."""


def read_response(completion: str) -> Response:
    """Split a completion at its tags; a bare completion is all answer.

    What stands outside thinking must hold one answer block at most: an answer mentioned while
    thinking does not count, and several blocks or nested ones are no answer.
    """
    thought, closed, _ = completion.rpartition(END_THINK)
    thought = (thought.partition(THINK)[2] or thought).strip()
    rest, open_thought = _outside_thinking(completion)
    # A template may open the thought in the prompt: then only its end is in the completion.
    before, _, rest = rest.rpartition(END_THINK)
    if open_thought or ANSWER in before or END_ANSWER in before:
        return Response(thought if closed else completion.partition(THINK)[2], None)
    return Response(thought, _only_answer(rest))


def _outside_thinking(text: str) -> tuple[str, bool]:
    """The text without its thoughts, and whether the last thought is left open."""
    before, *opened = text.split(THINK)
    spans = [span.partition(END_THINK) for span in opened]
    left_open = bool(spans) and not spans[-1][1]
    return before + "".join(after for _, _, after in spans), left_open


def _only_answer(text: str) -> str | None:
    opened, closed = text.count(ANSWER), text.count(END_ANSWER)
    if opened == closed == 0:
        return text.strip() or None
    if opened != 1 or closed != 1:
        return None
    before, _, block = text.partition(ANSWER)
    answer, end, after = block.partition(END_ANSWER)
    if not end or before.strip() or after.strip():
        return None
    return answer.strip() or None


def first_answer_block(text: str) -> str | None:
    """Content of the first `<answer>…</answer>`, as `re.search("<answer>(.*?)</answer>")` finds."""
    _, opened, rest = text.partition(ANSWER)
    answer, closed, _ = rest.partition(END_ANSWER)
    return answer.strip() if opened and closed else None


def write_response(thought: str, answer: str) -> str:
    """The target of chain-of-thought fine-tuning, as the release writes it."""
    return f"{THINK}\n{thought.strip()}\n{END_THINK}\n{ANSWER}\n{answer.strip()}\n{END_ANSWER}"
