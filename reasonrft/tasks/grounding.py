"""Grounding: where in the image something is, as boxes (Visual-RFT, VLM-R1)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from reasonrft.errors import BadInput
from reasonrft.images import ImageFault, image_size
from reasonrft.problems import Problem
from reasonrft.tasks.base import Task
from reasonrft.tasks.box_answers import Box, Boxes, BoxFault, parse_boxes, read_boxes, write_boxes
from reasonrft.tasks.box_maths import iou, mean_iou, pairs_up
from reasonrft.tasks.official_rules import DEFAULT_RULES, OfficialRules
from reasonrft.tasks.tags import first_answer_block, read_response

Coordinates = Literal["pixels", "thousandths"]
Size = tuple[float, float]
"""Width and height."""

RIGHT_IOU = 0.5
THOUSANDTHS = (1000, 1000)
_FORM = '[{"bbox_2d": [x1, y1, x2, y2], "label": "what it is"}]'
_UNITS: Mapping[Coordinates, str] = {
    "pixels": "in pixels",
    "thousandths": "as whole numbers from 0 to 1000, thousandths of the image's width and height",
}
_ASKED = f"as a JSON list {_FORM} {{units}}, one entry for each thing that is meant, [] for none"
_SLACK = 0.01
"""Share of a side by which a gold box may reach over the edge, as data sets have it."""


class GroundingTask(Task):
    """Answers are lists of boxes, in the units of `meta["frame"]`: the size of what holds them."""

    name = "grounding"
    title = "Grounding"
    reasoning_template = (
        "{question}\nLook at the picture and think step by step inside <think> </think>, then give "
        f"the boxes inside <answer> </answer>, {_ASKED}."
    )
    answer_template = f"{{question}}\nGive the boxes alone, {_ASKED}."
    ood_splits = ("ood-domain", "ood-reference")

    def __init__(
        self,
        template: str | Path | None = None,
        answer_template: str | Path | None = None,
        coordinates: Coordinates = "pixels",
    ) -> None:
        """
        Args:
            template: Prompt for thought and answer: text with {question}, or its file.
            answer_template: Prompt for the answer alone: text with {question}, or its file.
            coordinates: Unit in which the model writes boxes: pixels of the image as it sees it
                (Qwen2.5-VL), or thousandths of its sides (Qwen2-VL, Qwen3-VL, InternVL).
        """
        super().__init__(template, answer_template)
        self.coordinates = coordinates

    def prompt(self, problem: Problem, reasoning: bool = True) -> str:
        template = self.reasoning_prompt(problem) if reasoning else self.answer_prompt
        told = template.replace("{units}", _UNITS[self.coordinates])
        return told.replace("{question}", problem.question)

    def prepared(
        self, problem: Problem, seen_size: Callable[[tuple[int, int]], tuple[int, int]]
    ) -> Problem:
        """The problem with its gold boxes in the units in which the model is to answer."""
        try:
            frame = frame_of(problem)
            seen = seen_size(_image_size(problem)) if self.coordinates == "pixels" else None
        except ImageFault as fault:
            raise BadInput(f"problem {problem.id!r}: {fault}") from fault
        wanted: Size = seen or THOUSANDTHS
        scale = wanted[0] / frame[0], wanted[1] / frame[1]
        answer = write_boxes(box.scaled(*scale) for box in gold_boxes(problem))
        return replace(problem, answer=answer, meta={**problem.meta, "frame": list(wanted)})

    def agrees(self, answer: str, problem: Problem) -> bool:
        """Whether boxes and gold boxes pair up one to one, each pair with an IoU of 0.5 or more.

        Labels are compared where the gold boxes have several.
        """
        given, gold = read_boxes(answer), gold_boxes(problem)
        if given is None or len(given) != len(gold):
            return False
        several = len({plain_label(box.label) for box in gold}) > 1
        return pairs_up([[_fits(box, due, several) for due in gold] for box in given])

    def official_accuracy(
        self, completion: str, problem: Problem, rules: OfficialRules = DEFAULT_RULES
    ) -> float:
        """The mean IoU, of the boxes in the answer block or, without one, of the first anywhere."""
        block = first_answer_block(completion)
        if block is None and not rules.untagged:
            return 0.0
        text = completion if block is None else block
        boxes = read_boxes(text)
        if boxes is None:
            boxes = read_boxes(text[text.find("[") : text.rfind("]") + 1] or "?")
        return 0.0 if boxes is None else mean_iou(corners_of(boxes), gold_corners(problem))

    def fault(self, problem: Problem) -> str | None:
        try:
            boxes = parse_boxes(problem.answer)
            width, height = frame_of(problem)
        except BoxFault as fault:
            return str(fault)
        except ImageFault:
            return None  # which is said of the image
        except BadInput as error:
            return str(error)
        for number, box in enumerate(boxes, 1):
            _, _, right, bottom = box.corners
            if right > width * (1 + _SLACK) + 1 or bottom > height * (1 + _SLACK) + 1:
                return (
                    f"box {number}, {list(box.corners)}, lies outside of {width:g} x {height:g}; "
                    'boxes in thousandths need "frame": [1000, 1000] in the record'
                )
        return None


def worth(completion: str, measure: Callable[[Boxes], float]) -> float:
    """What a completion's boxes are worth; 0 for unreadable ones, the least of several answers."""
    answers = [read_boxes(text) for text in read_response(completion).statements]
    return min((0.0 if boxes is None else measure(boxes) for boxes in answers), default=0.0)


def gold_boxes(problem: Problem) -> Boxes:
    """A problem's own boxes, or `BadInput`."""
    try:
        return parse_boxes(problem.answer)
    except BoxFault as fault:
        raise BadInput(f"problem {problem.id!r}: its answer {fault}") from None


def gold_corners(problem: Problem) -> list[Any]:
    return corners_of(gold_boxes(problem))


def corners_of(boxes: Sequence[Box]) -> list[Any]:
    return [box.corners for box in boxes]


def plain_label(label: str) -> str:
    """A label as labels are compared."""
    return " ".join(label.casefold().replace("_", " ").split()).strip(" .")


def frame_of(problem: Problem) -> Size:
    """Width and height, in the units of a problem's boxes, of the image that holds them."""
    frame = problem.meta.get("frame")
    if frame is None:
        return _image_size(problem)
    if (
        isinstance(frame, Sequence)
        and len(frame) == 2
        and all(isinstance(side, int | float) and 0 < side <= 1e6 for side in frame)
    ):
        return frame[0], frame[1]
    raise BadInput(f"problem {problem.id!r}: frame must be [width, height], not {str(frame)[:60]}")


def _image_size(problem: Problem) -> tuple[int, int]:
    if len(problem.images) != 1:
        raise BadInput(
            f"problem {problem.id!r}: boxes are in one image, and it has {len(problem.images)}"
        )
    return image_size(problem.images[0])


def _fits(given: Box, due: Box, by_label: bool) -> bool:
    if by_label and plain_label(given.label) != plain_label(due.label):
        return False
    return iou(given.corners, due.corners) >= RIGHT_IOU
