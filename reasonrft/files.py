"""Writing several files so that all of them appear, or none."""

import filecmp
import os
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from reasonrft.errors import BadInput


class Staging:
    """Files are written beside their places, and moved there when all has gone well."""

    def __init__(self) -> None:
        self._waiting: dict[Path, Path] = {}
        self._folders: list[Path] = []

    def __enter__(self) -> "Staging":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                for place, draft in self._waiting.items():
                    os.replace(draft, place)
        finally:
            self._discard()

    def write(self, place: Path, content: bytes) -> None:
        """Write a file, in the place of one that may be there."""
        with self._draft(place).open("xb") as file:
            file.write(content)

    def add_image(self, place: Path, image: Path | bytes) -> None:
        """Write or copy an image; another image in its place is a `BadInput`."""
        if place in self._waiting:
            return
        if place.exists():
            if not _same(place, image):
                raise BadInput(f"{place} is there already, and is another image")
        elif isinstance(image, Path):
            shutil.copyfile(image, self._draft(place))
        else:
            self.write(place, image)

    def _draft(self, place: Path) -> Path:
        if place.exists() and not place.is_file():  # /dev/null would be no more
            raise BadInput(f"{place} is a folder or a device: name an ordinary file")
        self._make_folder(place.parent)
        draft = place.with_name(f".{place.name}.{os.getpid()}.tmp")
        self._waiting[place] = draft
        return draft

    def _make_folder(self, folder: Path) -> None:
        if not folder.exists():
            self._make_folder(folder.parent)
            with suppress(FileExistsError):  # another process has just made it
                folder.mkdir()
                self._folders.append(folder)

    def _discard(self) -> None:
        for draft in self._waiting.values():
            draft.unlink(missing_ok=True)
        for folder in reversed(self._folders):
            with suppress(OSError):  # not empty: its files have come to stay
                folder.rmdir()


def _same(place: Path, image: Path | bytes) -> bool:
    if isinstance(image, Path):
        return filecmp.cmp(place, image, shallow=False)
    return place.read_bytes() == image
