"""Samples on an HTML page that needs nothing beside it and runs nothing."""

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from PIL import Image

from reasonrft.callbacks.samples import Completion, Sample
from reasonrft.errors import BadInput
from reasonrft.files import Staging

# Escaped text cannot hold these.
_BEGIN, _END = "<!-- sample ", "<!-- end -->"
_HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Samples</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem;
  color: #1c2024; background: #f3f4f6; }
section { background: #fff; border: 1px solid #d6d9de; border-radius: 10px; padding: 1rem;
  margin: 1rem 0; overflow-x: auto; }
h2 { font-size: 1rem; margin: 0 0 .5rem; }
img { min-width: 160px; max-width: 100%; margin-right: 8px; }
table { border-collapse: collapse; width: 100%; }
th, td { border-top: 1px solid #d6d9de; padding: .3rem .6rem; text-align: right;
  vertical-align: top; white-space: nowrap; }
th:last-child, td:last-child { text-align: left; width: 100%; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 13px; }
.up { background: #e3f4e8; } .down { background: #fbe9e7; }
</style>
</head>
<body>
<h1>Samples</h1>
"""
_FOOT = f"{_END}\n</body>\n</html>\n"


class SamplesPage:
    """A page that is whole after every write and keeps the last samples."""

    def __init__(self, place: Path, keep: int) -> None:
        self.place, self.keep = place, keep
        self._sections: list[str] = []

    def resume(self, step: int) -> None:
        """Go on with a page that is there, but for what came at this step or after it."""
        if not self.place.exists():
            return
        _, *sections = self.place.read_text("utf-8").partition(_END)[0].split(_BEGIN)
        try:
            kept = [section for section in sections if int(section.split(maxsplit=1)[0]) < step]
        except (ValueError, IndexError) as error:
            raise BadInput(f"{self.place} is not a page of samples: delete it") from error
        self._sections = [_BEGIN + section for section in kept]

    def add(self, samples: Sequence[Sample]) -> None:
        self._sections = [*self._sections, *map(_section, samples)][-self.keep :]
        page = "".join([_HEAD, *self._sections, _FOOT])
        with Staging() as staging:
            staging.write(self.place, page.encode("utf-8", "replace"))


def _section(sample: Sample) -> str:
    problem, names = sample.problem, [*sample.completions[0].rewards]
    heads = [*map(escape, names), "total", "advantage", "tokens", "completion"]
    return "\n".join(
        [
            f"{_BEGIN}{sample.step} -->",
            "<section>",
            f"<h2>Step {sample.step}: {escape(problem.id)}</h2>",
            *map(_picture, sample.pictures),
            f"<pre>{escape(problem.question)}</pre>",
            f"<p>Answer: <b>{escape(problem.answer)}</b></p>",
            "<table>",
            f"<tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>",
            *map(_completion, sample.completions),
            "</table>",
            "</section>",
            "",
        ]
    )


def _completion(one: Completion) -> str:
    kind = "up" if one.advantage > 0 else "down" if one.advantage < 0 else "even"
    cells = [f"{value:.2f}" for value in (*one.rewards.values(), one.total)]
    cells.append(f"{one.advantage:+.2f}")
    cells.append(f"{one.tokens} (truncated)" if one.truncated else str(one.tokens))
    cells.append(f"<pre>{escape(one.text)}</pre>")
    return f'<tr class="{kind}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _picture(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90, subsampling=0)
    content = base64.b64encode(file.getvalue()).decode()
    return f'<img src="data:image/jpeg;base64,{content}" alt="picture">'
