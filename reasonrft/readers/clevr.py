"""CLEVR's question files: {info, questions: [{image_filename, question, answer, ...}]}."""

from pathlib import PurePosixPath

from reasonrft.problems import Problem
from reasonrft.readers.base import Format, RecordContext, Row
from reasonrft.readers.fields import read_answer, read_id
from reasonrft.readers.make_problem import make_problem
from reasonrft.readers.record_images import locate

# Programs repeat the question; they are large and nothing reads them.
_UNUSED = ("program", "image_filename", "question", "answer", "question_index")


def read(row: Row, context: RecordContext) -> list[Problem]:
    """Read a question; its image is looked for where CLEVR's archives have it."""
    name = row["image_filename"]
    split = row.get("split")
    folders = ["", "images", *([f"images/{split}"] if isinstance(split, str) else [])]
    image = locate(name, "image_filename", context.root, folders)
    if row.get("id") is None:
        number = read_id(row.get("question_index"), context.id)
        row = {**row, "id": f"{PurePosixPath(name).stem}-{number}"}
    gold = ("answer", row["answer"])
    # Among CLEVR's own questions only some ask for a number.
    task = "counting" if read_answer(gold[1], "answer")[1].isdecimal() else "general"
    return [
        make_problem(
            row,
            context,
            ("question", row["question"]),
            gold,
            used=_UNUSED,
            images=(image,),
            task=task,
        )
    ]


FORMAT = Format(
    "clevr",
    (("image_filename",), ("question",), ("answer",)),
    ("split", "image_index", "question_index", "program", "template_filename"),
    read,
)
