import base64
import io
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from tensorboard.plugin_util import markdown_to_safe_html

from reasonrft.callbacks.run_state import last_step
from reasonrft.callbacks.samples import take_samples
from reasonrft.callbacks.samples_page import SamplesPage
from reasonrft.errors import BadInput
from tests.callbacks.logged import board
from tests.callbacks.short_run import GROUP, HOSTILE

pytestmark = pytest.mark.filterwarnings("ignore")

EMPTY = {"meta", "img"}


class Page(HTMLParser):
    """Checks that tags are closed in their order, and collects texts, images and tags."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.images: list[str] = []
        self.feed(path.read_text("utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.images += [value for name, value in attrs if tag == "img" and name == "src"]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts.append((self.open[-1], data))

    def all(self, tag: str) -> list[str]:
        return [text for within, text in self.texts if within == tag]


def steps(page: Page) -> list[int]:
    return [int(re.match(r"Step (\d+):", title).group(1)) for title in page.all("h2")]


def test_the_page_shows_samples_of_the_whole_run_and_runs_nothing(finished):
    page = Page(finished.home / "samples.html")
    assert steps(page) == [0, 2, 4]
    assert "script" not in page.tags
    shown = page.all("pre")
    assert shown.count(HOSTILE) == 2 * 3
    answer = page.all("b")[-1]
    assert GROUP[0].format(answer=answer) in shown
    assert page.all("th")[:6] == [
        "accuracy",
        "format",
        "total",
        "advantage",
        "tokens",
        "completion",
    ]
    # Right and in format, 1 + 0.5 * 1: better than its group.
    assert page.all("td")[:3] == ["1.00", "1.00", "1.50"]
    assert float(page.all("td")[3]) > 0
    head, _, content = page.images[-1].partition(",")
    assert head == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (56, 42)


def test_the_page_keeps_the_last_samples_and_drops_what_was_undone(finished, tmp_path):
    place = tmp_path / "samples.html"
    page = SamplesPage(place, keep=2)
    for step in (1, 5, 9):
        page.add(take_samples(replace(last_step(finished.module), step=step), 1))
    assert steps(Page(place)) == [5, 9]
    again = SamplesPage(place, keep=2)
    again.load()
    again.drop_from(9)
    again.add(take_samples(last_step(finished.module), 1))
    assert steps(Page(place)) == [5, 4]
    place.write_text("<!-- sample of cloth -->")
    with pytest.raises(BadInput, match=r"samples\.html is not a page of samples: delete it"):
        again.load()


def test_tensorboard_shows_images_and_what_was_said_to_the_letter(finished):
    events = board(finished.home, 1)
    (picture,) = events.Images("samples/0/image_0")
    assert (picture.step, picture.width, picture.height) == (4, 56, 42)
    (text,) = events.Tensors("samples/0/text_summary")
    markdown = text.tensor_proto.string_val[0].decode()
    assert "<script>" not in markdown
    html = markdown_to_safe_html(markdown)
    said = unescape(html)
    assert html.count("<tr>") == 1 + len(GROUP)
    assert "<img" not in html and "<strong>bold" not in html and "<h1>" not in html
    assert said.count(HOSTILE.replace("\n", "<br>")) == 2
