"""One HTML page that needs nothing beside it and runs nothing."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reasonrft.report.answer_gallery import KINDS, ShownProblem
from reasonrft.report.charts import DPI, Chart

HERE = Path(__file__).parent
MOST_BYTES = 1_900_000
"""Of a page: problems are left out of its gallery beyond that."""
_KIND_NAMES = {"wrong": "{} wrong", "disagree": "rows disagree", "agree": "rows agree"}


@dataclass(frozen=True)
class DrawnChart:
    """A chart within the page, for both grounds."""

    title: str
    light: str
    dark: str
    width: int
    height: int


def drawn(chart: Chart, light: bytes, dark: bytes) -> DrawnChart:
    width, height = (int.from_bytes(light[at : at + 4]) for at in (16, 20))  # of PNG's header
    css = 96 / DPI
    return DrawnChart(
        chart.title, _address(light), _address(dark), round(width * css), round(height * css)
    )


def _address(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def render(context: Mapping[str, Any], gallery: Sequence[ShownProblem], lead: str) -> bytes:
    """The page with as much of the gallery as it has room for."""
    kept = list(gallery)
    page = _render(context, kept, lead, 0)
    while len(page) > MOST_BYTES and kept:
        # The last ones are those that all rows agree on.
        kept = kept[: len(kept) * 3 // 4]
        page = _render(context, kept, lead, len(gallery) - len(kept))
    return page


def _render(
    context: Mapping[str, Any], gallery: Sequence[ShownProblem], lead: str, left_out: int
) -> bytes:
    splits = list(dict.fromkeys(item.split for item in gallery))
    found = {item.kind for item in gallery}
    kinds = [(kind, _KIND_NAMES[kind].format(lead)) for kind in KINDS if kind in found]
    style = (HERE / "page.css").read_text("utf-8") + _filters(kinds, len(splits))
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html.jinja").render(
        **context,
        gallery=gallery,
        splits=splits,
        kinds=kinds,
        lead=lead,
        left_out=left_out,
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )
    return page.lstrip().encode("utf-8", "replace")


def _filters(kinds: Sequence[tuple[str, str]], splits: int) -> str:
    """Rules that hide what is not chosen; without a script, and by numbers alone."""
    names = [f"kind-{kind}" for kind, _ in kinds] + [f"split-{number}" for number in range(splits)]
    rules = [
        f"body:has(#{name}:checked) article:not(.{name}) {{ display: none; }}" for name in names
    ]
    return "\n".join(["", *rules, ""])
