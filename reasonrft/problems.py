"""The unit of data: one checkable question about some images."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL.Image import Image

from reasonrft.images import open_image

IMAGE_TAG = "<image>"
ORIGIN = "distilled"
"""Key of meta that says how a chain of thought was sampled, and of which problem."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A question with its images and its gold answer, whatever file it came from."""

    id: str
    """Unique within a data set."""
    task: str
    """Short name of a built-in task, or the class_path of one's own."""
    images: tuple[Path | bytes, ...]
    """In the order of their tags; opened late, by whoever needs the pixels."""
    question: str
    """Without prompt template; holds `<image>` tags only where images stand inside the text."""
    answer: str
    """The gold answer as its source writes it, without tags."""
    choices: tuple[str, ...] = ()
    """Texts of the options A, B, C, ..., if the source lists them."""
    cot: str = ""
    """Chain of thought, without tags."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """What else the source knows: template, level, view, split, options, history."""
    source: str = ""
    """The name of its source, where a split has problems of several."""

    @property
    def solution(self) -> str:
        """The gold answer as the reference reads it, with tags where the source has them."""
        return self.meta.get("solution", self.answer)

    @property
    def origin(self) -> str:
        """The id of the problem that it is a chain of thought of, where there may be several."""
        distilled = self.meta.get(ORIGIN)
        name = distilled.get("problem") if isinstance(distilled, Mapping) else None
        return name if isinstance(name, str) else self.id

    def open_images(self) -> list[Image]:
        return [open_image(source) for source in self.images]
