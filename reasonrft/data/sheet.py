"""Drawing problems as cards on a sheet."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageOps

from reasonrft.box_drawing import with_boxes
from reasonrft.data.lettering import Font, find_font, wrap
from reasonrft.problems import Problem

WIDTH, GAP, PADDING, IMAGE_HEIGHT = 420, 20, 16, 250
"""Width of a card, space between cards, space inside of them, most height of their images."""
INNER = WIDTH - 2 * PADDING

_GROUND, _PAPER, _FRAME = "#f3f4f6", "#ffffff", "#d6d9de"
_INK, _FAINT, _ANSWER, _MARK = "#1c2024", "#6b7280", "#0b6b34", "#e3f4e8"
_LINE = 21


@dataclass(frozen=True, slots=True)
class Block:
    """Some lines in one font and colour."""

    lines: list[str]
    font: Font
    ink: str
    marked: bool = False

    @property
    def height(self) -> int:
        return len(self.lines) * _LINE + (12 if self.marked else 0)


@dataclass(frozen=True, slots=True)
class Card:
    """A problem, ready to be drawn."""

    images: list[Image.Image]
    name: Block
    task: Block
    body: list[Block]
    answer: Block

    @property
    def image_height(self) -> int:
        return max((image.height for image in self.images), default=0)

    @property
    def text_height(self) -> int:
        return sum(block.height + 8 for block in [self.name, *self.body, self.answer])


def draw_sheet(problems: Sequence[Problem], per_row: int) -> bytes:
    """A PNG of all problems, in rows of cards of one height."""
    cards = [_card(problem) for problem in problems]
    rows = [cards[at : at + per_row] for at in range(0, len(cards), per_row)]
    image_heights = [max(card.image_height for card in row) for row in rows]
    heights = [
        max(card.text_height for card in row) + image_height + 2 * PADDING + 8
        for row, image_height in zip(rows, image_heights, strict=True)
    ]
    across = min(per_row, len(cards))
    size = (across * (WIDTH + GAP) + GAP, sum(heights) + GAP * (len(rows) + 1))
    sheet = Image.new("RGB", size, _GROUND)
    top = GAP
    for row, image_height, height in zip(rows, image_heights, heights, strict=True):
        for at, card in enumerate(row):
            _draw_card(sheet, card, (GAP + at * (WIDTH + GAP), top), height, image_height)
        top += height + GAP
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return file.getvalue()


def _card(problem: Problem) -> Card:
    body = [_block(problem.question, 15, _INK, 10)]
    if problem.cot:
        body.append(_block(problem.cot, 13, _FAINT, 10))
    task = _block(problem.task.rpartition(".")[2], 12, _FAINT, 1)
    name = _block(problem.id, 12, _FAINT, 1, INNER - 120)
    answer = _block(problem.answer, 16, _ANSWER, 4, INNER - 20, marked=True)
    images = with_boxes(problem, _fitted(problem.open_images()))
    return Card(images, name, task, body, answer)


def _block(
    text: str, size: int, ink: str, most: int, width: int = INNER, marked: bool = False
) -> Block:
    font = find_font(text, size)
    return Block(wrap(text, font, width, most), font, ink, marked)


def _fitted(images: list[Image.Image]) -> list[Image.Image]:
    """Images as large as their shares of a card allow, but not blown up beyond twice."""
    share = max((INNER - 8 * (len(images) - 1)) // max(len(images), 1), 1)
    boxes = [(min(share, 2 * image.width), min(IMAGE_HEIGHT, 2 * image.height)) for image in images]
    return [ImageOps.contain(image, box) for image, box in zip(images, boxes, strict=True)]


def _draw_card(
    sheet: Image.Image, card: Card, corner: tuple[int, int], height: int, image_height: int
) -> None:
    draw = ImageDraw.Draw(sheet)
    left, top = corner
    box = (left, top, left + WIDTH - 1, top + height - 1)
    draw.rounded_rectangle(box, radius=10, fill=_PAPER, outline=_FRAME)
    left, at = left + PADDING, top + PADDING
    _draw_block(draw, card.task, left + INNER - int(_width(card.task)), at)
    at = _draw_block(draw, card.name, left, at)
    _draw_images(sheet, card.images, left, at, image_height)
    at += image_height + 8
    for block in card.body:
        at = _draw_block(draw, block, left, at)
    # Answers stand at the foot, so that those of a row can be read across.
    _draw_block(draw, card.answer, left, top + height - PADDING - card.answer.height)


def _draw_block(draw: ImageDraw.ImageDraw, block: Block, left: int, top: int) -> int:
    """Draw a block; returns where the next one begins."""
    bottom = top + block.height
    if block.marked:
        draw.rounded_rectangle((left, top, left + INNER - 1, bottom), 6, fill=_MARK)
        left, top = left + 10, top + 6
    for number, line in enumerate(block.lines):
        draw.text((left, top + number * _LINE), line, fill=block.ink, font=block.font)
    return bottom + 8


def _width(block: Block) -> float:
    return max((block.font.getlength(line) for line in block.lines), default=0)


def _draw_images(
    sheet: Image.Image, images: list[Image.Image], left: int, top: int, height: int
) -> None:
    """Images side by side, in the middle of the card."""
    left += (INNER - sum(image.width for image in images) - 8 * (len(images) - 1)) // 2
    for image in images:
        sheet.paste(image, (left, top + (height - image.height) // 2))
        left += image.width + 8
