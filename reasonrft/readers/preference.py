"""Pairs of completions: {question or prompt, images, chosen, rejected}, with or without an answer.

The names are those of TRL, of RLAIF-V and of `distill --pairs`. Completions are text, or lists of
messages of which the last one counts.
"""

from collections.abc import Sequence
from typing import Any

from reasonrft.problems import Problem
from reasonrft.readers.base import Format, RecordContext, RecordFault, Row
from reasonrft.readers.chat_turns import read_conversation
from reasonrft.readers.fields import read_text, row_key
from reasonrft.readers.make_problem import KNOWN, make_problem
from reasonrft.readers.plain import ANSWERS, QUESTIONS
from reasonrft.readers.prompts import prompt_problem
from reasonrft.tasks.tags import read_response

SIDES = ("chosen", "rejected")


def read(row: Row, context: RecordContext) -> list[Problem]:
    """Read a row; both completions are kept in meta, word for word."""
    sides = {side: _completion(row[side], side, context) for side in SIDES}
    if sides["chosen"] == sides["rejected"]:
        raise RecordFault("rejected", "is the same as chosen; a pair needs two completions")
    question_key, answer_key = row_key(row, *QUESTIONS), row_key(row, *ANSWERS)
    answer = row.get(answer_key)
    gold = (answer_key, _stated(sides["chosen"]) if answer is None else answer)
    used = [question_key, answer_key, *SIDES]
    if question_key == "prompt" and not isinstance(row["prompt"], str):
        return [prompt_problem(row, context, gold, used, sides)]
    question = (question_key, row[question_key])
    return [make_problem(row, context, question, gold, used=used, meta=sides)]


def _completion(value: object, side: str, context: RecordContext) -> str:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return read_text(value, side)
    # An assistant's turn alone is a conversation that has lost its question.
    turns: list[Any] = list(value)
    if len(turns) == 1:
        turns.insert(0, {"role": "user", "content": "?"})
    answer = read_conversation(turns, side, context.tags).answer
    if answer is None:
        raise RecordFault(side, "must end with an assistant's turn")
    return read_text(answer, side)


def _stated(completion: str) -> str:
    """The answer that a completion commits to between tags; pairs need not have one."""
    return (read_response(completion).answer or "") if "<answer>" in completion else ""


FORMAT = Format("pairs", (QUESTIONS, ("chosen",), ("rejected",)), (*KNOWN, *ANSWERS), read)
