"""TRL's rows: {prompt: [{role, content}], image or images, answer in a column of its own}."""

from reasonrft.problems import Problem
from reasonrft.readers.base import Format, RecordContext, Row
from reasonrft.readers.fields import row_key
from reasonrft.readers.make_problem import KNOWN
from reasonrft.readers.prompts import prompt_problem

ANSWERS = ("answer", "solution", "ground_truth")


def read(row: Row, context: RecordContext) -> list[Problem]:
    """Read a row; content may be text, or a list of parts of type image and text."""
    key = row_key(row, *ANSWERS)
    return [prompt_problem(row, context, (key, row[key]), [key], {})]


FORMAT = Format("trl", (("prompt",), ANSWERS), KNOWN, read)
