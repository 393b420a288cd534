"""What images are called in a written data set, and which of them must be written with it."""

import hashlib
import io
import os
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from reasonrft.images import FORMATS
from reasonrft.problems import Problem
from reasonrft.readers import Record


class Album:
    """Names of images relative to one folder."""

    def __init__(self, records: Iterable[Record], folder: Path, copy: bool) -> None:
        """
        Args:
            records: Whose images these are.
            folder: Where the data set is written.
            copy: Whether images are written there too; those that are in no file always are.
        """
        records = list(records)
        self.root = Path(os.path.commonpath({record.root for record in records}))
        self.folder = folder.resolve()
        self.copy = copy or any(map(_holds_bytes, records))
        self.files: dict[Path, Path | bytes] = {}

    def names(self, problem: Problem) -> list[str]:
        """Names of a problem's images as its row has them."""
        return [self._name(image) for image in problem.images]

    def unresolved(self, names: Iterable[str]) -> bool:
        """Whether a name leads nowhere from the folder of the data set."""
        return any(
            not (self.folder / name).is_file() and self.folder / name not in self.files
            for name in names
        )

    def _name(self, image: Path | bytes) -> str:
        if isinstance(image, bytes):
            name = f"images/{hashlib.sha256(image).hexdigest()[:16]}.{suffix(image)}"
        else:
            name = self._relative(image).as_posix()
        if self.copy and (self.folder / name).resolve() != _resolved(image):
            self.files[self.folder / name] = image
        return name

    def _relative(self, image: Path) -> Path:
        # Links inside the root keep the names that records know them by.
        if image.is_relative_to(self.root) and ".." not in image.parts:
            return image.relative_to(self.root)
        return Path(os.path.relpath(image.resolve(), self.root))


def _holds_bytes(record: Record) -> bool:
    images = record.outcome.images if isinstance(record.outcome, Problem) else ()
    return any(isinstance(image, bytes) for image in images)


def suffix(image: bytes) -> str:
    """The ending of an image's file name, by its content."""
    with Image.open(io.BytesIO(image), formats=FORMATS) as opened:
        format = opened.format or "PNG"
    return {"JPEG": "jpg", "MPO": "jpg"}.get(format, format.lower())


def _resolved(image: Path | bytes) -> Path | None:
    return image.resolve() if isinstance(image, Path) else None
