"""Reading `<think>…</think><answer>…</answer>`, and answers that models write without tags.

Plain searches instead of regular expressions on whole completions: lazy patterns take quadratic
time on a megabyte of opening tags, and completions are untrusted.
"""

import re
from dataclasses import dataclass
from itertools import islice

THINK, END_THINK = "<think>", "</think>"
ANSWER, END_ANSWER = "<answer>", "</answer>"

MAX_CLAIMS = 8
MAX_SENTENCE = 4_000
_TAG = re.compile(r"</?(?:think|answer)>", re.I)
_ENDS = ("</s>", "<eos>", "<end_of_turn>", "<end_of_utterance>")
_SENTENCE_END = re.compile(r"[.!?](?=\s)|\n")
_CLAUSE_END = re.compile(r"[.,;:!?](?=\s)|\n")
_CLAIM = re.compile(
    r"\b(?:answer|option|choice)(?:\*\*)?(?: is| would be| must be|\s*[:=]|\s*\n)", re.I
)
_BARE = re.compile(r"^[^\w\n-]{0,8}(-?\d+(?:[.,/]\d+)*|[A-H])[^\w\n]{0,8}$", re.M)
_BOXED = re.compile(r"\\boxed\s*\{")


@dataclass(frozen=True, slots=True)
class Response:
    """A completion taken apart."""

    thought: str
    answer: str | None
    """What it commits to; None where it does not commit to exactly one answer."""
    claims: tuple[str, ...] = ()
    """Other statements of the answer outside of thinking, which have to agree."""

    @property
    def statements(self) -> tuple[str, ...]:
        """The answer and all claims: whoever pays for the answer must find each of them right."""
        return () if self.answer is None else (self.answer, *self.claims)


def read_response(completion: str) -> Response:
    """Split a completion at its tags; without an answer block, find where it states its answer.

    What stands outside thinking must hold one answer block at most: an answer mentioned while
    thinking does not count, and several blocks or nested ones are no answer.
    """
    text = _without_end(_TAG.sub(lambda tag: tag[0].lower(), completion))
    thought, closed, _ = text.rpartition(END_THINK)
    thought = (thought.partition(THINK)[2] or thought).strip()
    rest, open_thought = _outside_thinking(text)
    # A template may open the thought in the prompt: then only its end is in the completion.
    before, _, rest = rest.rpartition(END_THINK)
    _, answered, after = text.rpartition(END_ANSWER)
    if open_thought or ANSWER in before or END_ANSWER in before or (answered and THINK in after):
        return Response(thought if closed else text.partition(THINK)[2], None)
    return Response(thought, *_statements(rest))


def without_thoughts(completion: str) -> str:
    """What stands outside of thinking; nothing of a completion that never stops thinking."""
    text = _without_end(_TAG.sub(lambda tag: tag[0].lower(), completion))
    return _outside_thinking(text)[0].rpartition(END_THINK)[2].strip()


def chain_end(completion: str) -> int:
    """Where a completion's chain of thought ends: after its last `</think>`.

    One that closes no thought has its chain before its first answer block, or is all chain.
    """
    text = _TAG.sub(lambda tag: tag[0].lower(), completion)
    thought, closed, _ = text.rpartition(END_THINK)
    return len(thought) + len(closed) if closed else len(text.partition(ANSWER)[0])


def _without_end(text: str) -> str:
    """The text without a few of the tokens by which models end their turn."""
    for _ in range(8):
        text = text.rstrip()
        if end := next((end for end in _ENDS if text.endswith(end)), None):
            text = text.removesuffix(end)
        elif text.endswith("|>") and (start := text.rfind("<|", max(0, len(text) - 30))) >= 0:
            text = text[:start]
        else:
            break
    return text


def _outside_thinking(text: str) -> tuple[str, bool]:
    """The text without its thoughts, and whether the last thought is left open."""
    before, *opened = text.split(THINK)
    spans = [span.partition(END_THINK) for span in opened]
    left_open = bool(spans) and not spans[-1][1]
    return before + "".join(after for _, _, after in spans), left_open


_Statements = tuple[str | None, tuple[str, ...]]
_NOTHING: _Statements = (None, ())


def _statements(text: str) -> _Statements:
    opened, closed = text.count(ANSWER), text.count(END_ANSWER)
    if opened == closed == 0:
        return _untagged(text)
    if opened != 1 or closed != 1:
        return _NOTHING
    before, _, block = text.partition(ANSWER)
    answer, end, after = block.partition(END_ANSWER)
    if not end or not answer.strip():
        return _NOTHING
    lead, claims = _split_lead(before, _SENTENCE_END)
    after = after.strip(" \n\t.*")
    return _joined(f"{lead} {answer.strip()}", [*claims, after] if after else claims)


def _untagged(text: str) -> _Statements:
    """A box, or what follows "answer is", else all of a text without an answer block."""
    text = text.strip()
    marks = [*_BOXED.finditer(text)][-1:] or [*_CLAIM.finditer(text)][-1:]
    if not marks:
        return _joined(text, [])
    lead, claims = _split_lead(text[: marks[0].start()], _CLAUSE_END)
    return _joined(f"{lead} {text[marks[0].start() :]}", claims)


def _split_lead(before: str, end: re.Pattern[str]) -> tuple[str, list[str]]:
    """What leads into an answer in the same sentence or clause, and claims of earlier sentences."""
    start = max(0, len(before) - MAX_SENTENCE)
    for match in end.finditer(before, start):
        start = match.end()
    earlier = before[:start]
    stated = [*islice(_CLAIM.finditer(earlier), MAX_CLAIMS + 1)]
    sentences = [_sentence(earlier, claim.end()) for claim in stated]
    claims = [claim for claim in sentences if claim]
    return before[start:].strip(" *#"), claims + [
        line[1] for line in islice(_BARE.finditer(earlier), MAX_CLAIMS + 1)
    ]


def _sentence(text: str, start: int) -> str:
    """What stands from there to the end of the sentence."""
    text = text[start : start + MAX_SENTENCE].lstrip(" *\n")
    end = _SENTENCE_END.search(text)
    return (text[: end.start()] if end else text).rstrip(" *\n.")


def _joined(answer: str, claims: list[str]) -> _Statements:
    return (answer.strip() or None, tuple(claims)) if len(claims) <= MAX_CLAIMS else _NOTHING


def first_answer_block(text: str) -> str | None:
    """Content of the first `<answer>…</answer>`, as `re.search("<answer>(.*?)</answer>")` finds."""
    _, opened, rest = text.partition(ANSWER)
    answer, closed, _ = rest.partition(END_ANSWER)
    return answer.strip() if opened and closed else None


def write_response(thought: str, answer: str) -> str:
    """The target of chain-of-thought fine-tuning, as the release writes it."""
    return f"{THINK}\n{thought.strip()}\n{END_THINK}\n{ANSWER}\n{answer.strip()}\n{END_ANSWER}"
