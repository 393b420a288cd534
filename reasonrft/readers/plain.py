"""Plain records: {image or images, question, answer}, under any of the names people use."""

from collections.abc import Mapping, Sequence

from reasonrft.problems import Problem
from reasonrft.readers.base import Format, RecordContext, RecordFault, Row, short
from reasonrft.readers.fields import read_answer, read_choices, read_text, row_key
from reasonrft.readers.make_problem import KNOWN, LETTERS, make_problem
from reasonrft.readers.prompts import prompt_problem
from reasonrft.tasks.choices import option_named
from reasonrft.trance_calls import read_calls

QUESTIONS = ("question", "problem", "query", "prompt", "instruction")
ANSWERS = ("answer", "solution", "label", "gt", "ground_truth")


def read(row: Row, context: RecordContext) -> list[Problem]:
    """Read a record; its task is general unless the record, or the answer's form, says more."""
    question_key, answer_key = row_key(row, *QUESTIONS), row_key(row, *ANSWERS)
    gold = (answer_key, row[answer_key])
    if question_key == "prompt" and not isinstance(row["prompt"], str):
        return [prompt_problem(row, context, gold, [answer_key], {})]
    question = read_text(row[question_key], question_key)
    used = [question_key, answer_key]
    if question_key == "instruction" and _is_text(row.get("input")):
        # Alpaca's records keep what the instruction is about in a key of its own.
        question, used = f"{question}\n{row['input']}", [*used, "input"]
    choices = read_choices(row.get("choices"))
    # Boxes may be lists; whatever else is not text is refused where the problem is made.
    answer = "" if isinstance(gold[1], list | Mapping) else read_answer(*gold[::-1])[1]
    _check_index(answer, choices, answer_key)
    task = "transformation" if read_calls(answer) is not None else "general"
    return [make_problem(row, context, (question_key, question), gold, used=used, task=task)]


def _check_index(answer: str, choices: Sequence[str], key: str) -> None:
    if len(choices) > len(LETTERS):
        raise RecordFault("choices", f"are {len(choices)}; at most {len(LETTERS)} are read")
    if choices and answer.isdecimal() and option_named(answer, tuple(choices)) is None:
        # Some data sets count from 0, others from 1: it cannot be told which choice is meant.
        message = (
            f"{short(answer)} is none of the choices; give the letter or text of the right one"
        )
        raise RecordFault(key, message)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


FORMAT = Format("plain", (QUESTIONS, ANSWERS), KNOWN, read)
