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
_FIGURES = ("total", "advantage", "tokens")
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
img { vertical-align: top; min-width: 160px; max-width: 100%; margin-right: 8px; }
table { border-collapse: collapse; width: 100%; }
th, td { border-top: 1px solid #d6d9de; padding: .3rem .6rem; text-align: right;
  vertical-align: top; white-space: nowrap; }
th:last-child, td:last-child { text-align: left; width: 100%; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 13px; }
.question { font: inherit; margin: .5rem 0; }
.up { background: #e3f4e8; } .down { background: #fbe9e7; }
@media (max-width: 700px) {
  body { margin: 1rem auto; }
  table, tbody, tr, td:last-child { display: block; }
  th { display: none; }
  tr { border-top: 1px solid #d6d9de; padding: .4rem 0; }
  td { border: 0; display: inline-block; padding: .1rem .6rem; }
  td[data-name]::before { content: attr(data-name) " "; color: #5b6370; }
  td:last-child { white-space: normal; width: auto; }
}
</style>
</head>
<body>
<h1>Samples</h1>
<p>Completions with an advantage above 0 are <span class="up">green</span>, below 0
<span class="down">red</span>.</p>
"""
_FOOT = f"{_END}\n</body>\n</html>\n"


class SamplesPage:
    """A page that is complete after every write and keeps the last samples."""

    def __init__(self, path: Path, keep: int) -> None:
        self.path, self.keep = path, keep
        self._sections: list[tuple[int, str]] = []
        """Each with its step."""

    def load(self) -> None:
        """Go on with a page that an earlier part of the run has written."""
        if not self.path.exists():
            return
        _, *sections = self.path.read_text("utf-8").partition(_END)[0].split(_BEGIN)
        try:
            steps = [int(section.split(maxsplit=1)[0]) for section in sections]
        except (ValueError, IndexError) as error:
            raise BadInput(f"{self.path} is not a page of samples: delete it") from error
        self._sections = [
            (step, _BEGIN + section) for step, section in zip(steps, sections, strict=True)
        ]

    def drop_from(self, step: int) -> None:
        """Forget the samples of this step and of later ones."""
        self._sections = [section for section in self._sections if section[0] < step]

    def add(self, samples: Sequence[Sample]) -> None:
        new = [(sample.step, _section(sample)) for sample in samples]
        self._sections = [*self._sections, *new][-self.keep :]
        page = "".join([_HEAD, *(html for _, html in self._sections), _FOOT])
        with Staging() as staging:
            staging.write(self.path, page.encode("utf-8", "replace"))


def _section(sample: Sample) -> str:
    problem = sample.problem
    heads = [*map(escape, sample.completions[0].rewards), *_FIGURES, "completion"]
    return "\n".join(
        [
            f"{_BEGIN}{sample.step} -->",
            "<section>",
            f"<h2>Step {sample.step}: {escape(problem.id)}</h2>",
            *map(_image, sample.images),
            f'<pre class="question">{escape(problem.question)}</pre>',
            f"<p>Answer: <b>{escape(problem.answer)}</b></p>",
            "<table>",
            f"<tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>",
            *map(_completion, sample.completions),
            "</table>",
            "</section>",
            "",
        ]
    )


def _completion(completion: Completion) -> str:
    advantage = completion.advantage
    kind = "up" if advantage > 0 else "down" if advantage < 0 else "even"
    tokens = f"{completion.tokens}{' (truncated)' if completion.truncated else ''}"
    rewards = [f"{reward:.2f}" for reward in completion.rewards.values()]
    figures = [*rewards, f"{completion.total:.2f}", f"{advantage:+.2f}", tokens]
    # Narrow screens have no heads of columns: names stand beside the figures.
    cells = [
        f'<td data-name="{escape(name)}">{figure}</td>'
        for name, figure in zip([*completion.rewards, *_FIGURES], figures, strict=True)
    ]
    return f'<tr class="{kind}">{"".join(cells)}<td><pre>{escape(completion.text)}</pre></td></tr>'


def _image(image: Image.Image) -> str:
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=90, subsampling=0)
    content = base64.b64encode(file.getvalue()).decode()
    return f'<img src="data:image/jpeg;base64,{content}" alt="image of the problem">'
