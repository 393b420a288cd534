"""Reason-RFT's records: {id, image, problem, answer, cot?} or {id, image, problem, solution}."""

from reasonrft.problems import Problem
from reasonrft.readers.base import Format, RecordContext, RecordFault, Row
from reasonrft.readers.fields import read_answer, row_key
from reasonrft.readers.make_problem import KNOWN, make_problem


def read(row: Row, context: RecordContext) -> list[Problem]:
    """Read a record; a solution that says more than the answer stays in meta."""
    key = row_key(row, "answer", "solution")
    used = ["problem", "answer"]
    if key == "solution" or _same(row.get("solution"), row.get("answer")):
        used.append("solution")
    return [make_problem(row, context, ("problem", row["problem"]), (key, row[key]), used=used)]


def _same(solution: object, answer: object) -> bool:
    if solution is None:
        return False
    try:
        return read_answer(solution, "solution")[1] == read_answer(answer, "answer")[1]
    except RecordFault:
        return False


FORMAT = Format("reason-rft", (("problem",), ("answer", "solution")), KNOWN, read)
