"""Boxes in images for people to look at: gold ones and answered ones, in two colours."""

from collections.abc import Iterable, Sequence

from PIL import Image, ImageDraw

from reasonrft.errors import BadInput
from reasonrft.problems import Problem
from reasonrft.tasks.box_answers import Boxes, BoxFault, parse_boxes, read_boxes
from reasonrft.tasks.grounding import GroundingTask, Size, frame_of
from reasonrft.tasks.tags import read_response

GOLD, ANSWERED = "#0a9f4b", "#e8128c"
LEAST_SIDE, LEGEND_HEIGHT = 288, 16
"""Smaller images are enlarged, since lines would hide what they enclose."""


def with_boxes(
    problem: Problem, images: Sequence[Image.Image], completions: Iterable[str] = ()
) -> list[Image.Image]:
    """A grounding problem's image with its boxes and those of completions; others as they are.

    Args:
        problem: Whose images they are.
        images: Its images, of whatever size they are to be shown in.
        completions: Answers with their tags.
    """
    if len(images) != 1 or not _grounds(problem.task):
        return list(images)
    try:
        gold, frame = parse_boxes(problem.answer), frame_of(problem)
    except (BoxFault, BadInput):  # shown all the same, as it is
        return list(images)
    return [_drawn(images[0], frame, gold, _answered(completions))]


def _grounds(task: str) -> bool:
    """Whether a task is grounding, or somebody's own kind of it; nothing is imported for it."""
    kinds: list[type[GroundingTask]] = [GroundingTask, *GroundingTask.__subclasses__()]
    return any(task in (kind.name, f"{kind.__module__}.{kind.__qualname__}") for kind in kinds)


def _answered(completions: Iterable[str]) -> list[Boxes] | None:
    """The boxes of each completion that has any; None where nothing was answered at all."""
    texts = [read_response(completion).answer for completion in completions]
    return [read_boxes(text or "") or () for text in texts] if texts else None


def _drawn(
    image: Image.Image, frame: Size, gold: Boxes, answered: Sequence[Boxes] | None
) -> Image.Image:
    factor = max(1, LEAST_SIDE // max(image.size))
    width, height = image.width * factor, image.height * factor
    canvas = Image.new("RGB", (width, height + LEGEND_HEIGHT), "white")
    canvas.paste(image.convert("RGB").resize((width, height)), (0, 0))
    draw = ImageDraw.Draw(canvas)
    scale = width / frame[0], height / frame[1]
    _outline(draw, gold, scale, GOLD, 3)
    for boxes in answered or ():
        _outline(draw, boxes, scale, ANSWERED, 1)
    entries = [("gold", GOLD)] + ([("answered", ANSWERED)] if answered is not None else [])
    for place, (name, color) in enumerate(entries):
        left, top = 4 + 60 * place, height + 4
        draw.rectangle((left, top, left + 8, top + 8), fill=color)
        draw.text((left + 13, top - 2), name, fill="black")
    return canvas


def _outline(draw: ImageDraw.ImageDraw, boxes: Boxes, scale: Size, color: str, line: int) -> None:
    across, down = scale
    for box in boxes:
        x1, y1, x2, y2 = box.corners
        left, top = x1 * across, y1 * down
        right, bottom = max(x2 * across - 1, left), max(y2 * down - 1, top)
        draw.rectangle((left, top, right, bottom), outline=color, width=line)
