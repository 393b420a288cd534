import io
from base64 import b64decode
from dataclasses import replace

import pytest
from PIL import Image, ImageColor

from reasonrft.box_drawing import ANSWERED, GOLD, LEGEND_HEIGHT, with_boxes
from reasonrft.data.sheet import draw_sheet
from reasonrft.tasks import GroundingTask
from tests.conftest import problem
from tests.report.folders import write_answers
from tests.report.test_answer_gallery import compared, shown

GREEN, PINK = map(ImageColor.getrgb, (GOLD, ANSWERED))
CUBE = '[{"bbox_2d": [100, 100, 500, 500], "label": "cube"}]'


def asked(image, answer=CUBE, frame=(1000, 1000), task="grounding"):
    file = io.BytesIO()
    image.save(file, "PNG")
    return replace(problem(answer, task, meta={"frame": frame}), images=(file.getvalue(),))


@pytest.fixture
def picture():
    return Image.new("RGB", (400, 200), "white")


def test_gold_and_answered_boxes_in_two_colours_with_a_legend(picture):
    said = ["<answer>[600, 200, 800, 400]</answer>", "nothing <answer>none that is", ""]
    (drawn,) = with_boxes(asked(picture), [picture], said)
    assert drawn.size == (400, 200 + LEGEND_HEIGHT)
    # 100 thousandths of 400 x 200 are 40 across and 20 down.
    assert drawn.getpixel((40, 60)) == drawn.getpixel((100, 20)) == GREEN
    assert drawn.getpixel((199, 60)) == drawn.getpixel((100, 99)) == GREEN
    assert drawn.getpixel((240, 60)) == drawn.getpixel((319, 60)) == PINK
    assert drawn.getpixel((39, 60)) == drawn.getpixel((200, 60)) == (255, 255, 255)
    legend = drawn.crop((0, 200, 400, 216)).get_flattened_data()
    assert GREEN in legend and PINK in legend


def test_without_answers_the_legend_names_none(picture):
    (drawn,) = with_boxes(asked(picture), [picture])
    colors = drawn.get_flattened_data()
    assert GREEN in colors and PINK not in colors


def test_small_images_are_enlarged_and_small_copies_fit(picture):
    small = Image.new("RGB", (40, 20), "white")
    for shown_as in (small, picture):
        (drawn,) = with_boxes(asked(picture), [shown_as])
        across = drawn.width / 10
        assert drawn.getpixel((round(across), drawn.width // 8)) == GREEN
        assert drawn.width >= 280


class OwnGrounding(GroundingTask):
    name = "own_boxes"


def test_what_has_no_boxes_stays_as_it_is(picture):
    for other in (
        asked(picture, "3", task="counting"),
        asked(picture, "left"),
        asked(picture, frame=3),
    ):
        assert with_boxes(other, [picture]) == [picture]
    assert with_boxes(asked(picture), [picture] * 2) == [picture] * 2
    own = asked(picture, task=f"{__name__}.OwnGrounding")
    assert with_boxes(own, [picture]) != [picture]


def test_a_sheet_shows_gold_boxes(picture):
    with Image.open(io.BytesIO(draw_sheet([asked(picture)], 1))) as sheet:
        assert GREEN in sheet.convert("RGB").get_flattened_data()


def test_a_report_shows_gold_and_answered_boxes(tmp_path, picture):
    question = replace(asked(picture), id="id-0", question="Where is the cube?")
    (tmp_path / "a.png").write_bytes(question.images[0])
    question = replace(question, images=(tmp_path / "a.png",))
    write_answers(
        tmp_path / "run", "grounding/id", [question], ["<answer>[600, 200, 800, 400]</answer>"]
    )
    (item,) = shown(compared(tmp_path / "run"))
    page = Image.open(io.BytesIO(b64decode(item.images[0].partition(",")[2]))).convert("RGB")
    near = {
        min((GREEN, PINK), key=lambda c: sum(abs(a - b) for a, b in zip(c, p, strict=True)))
        for p in page.get_flattened_data()
        if max(p) - min(p) > 90
    }
    assert near == {GREEN, PINK}
